// Views and dashboards that are kept under a name.
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { ADDRESS, newContext, newPage, open, settled } from "./browser";

/** Never the same twice on one server. */
const unique = (name: string) => `${name} ${Date.now().toString(36)}`;

export async function aViewIsSavedOpenedRenamedAndDeleted(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  const name = unique("تكلفة <b>");
  await open(page, "#/cost?range=7d&zone=UTC&environment=production&split=team");
  const menu = page.getByRole("button", { name: "Views", exact: true });
  await menu.click();
  await page.getByLabel("Name of this view").fill(name);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText(`Saved as ${name}`).waitFor();
  await page.keyboard.press("Escape");
  await open(page, "#/overview?range=1h&zone=Asia/Kolkata");
  await menu.click();
  await page.locator(".lists").getByRole("button", { name }).click();
  await settled(page);
  await page.waitForURL(/#\/cost\?range=7d&zone=UTC&environment=production&split=team$/);
  await menu.click();
  await page.getByRole("link", { name: "All views and dashboards" }).click();
  await page.getByRole("button", { name: `Rename ${name}` }).click();
  await page.getByLabel("New name").fill(`${name} 2`);
  await page.getByRole("button", { name: "Rename", exact: true }).click();
  await page.getByRole("button", { name: `Copy link to ${name} 2` }).click();
  await page.getByText(`Link to ${name} 2 copied`).waitFor();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /#\/cost\?range=7d/);
  await page.getByRole("button", { name: `Delete ${name} 2` }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("button", { name: `Delete ${name} 2` }).waitFor({ state: "detached" });
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aDashboardIsPutTogetherAndSaved(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  const name = unique("Support");
  await open(page, "#/dashboards?range=24h&zone=UTC");
  await page.getByRole("link", { name: "New dashboard" }).click();
  await page.getByLabel("Name of the dashboard").fill(name);
  const add = async (title: string, chart: string, change: () => Promise<unknown> = () => Promise.resolve()) => {
    await page.getByRole("button", { name: "Panel", exact: true }).click();
    const dialog = page.getByRole("dialog");
    await dialog.getByLabel("Title").fill(title);
    await dialog.getByLabel("Chart").selectOption({ label: chart });
    await change();
    await dialog.getByRole("button", { name: "Take over" }).click();
    await dialog.waitFor({ state: "detached" });
  };
  await add("Agents", "Ranking", async () => {
    await page.getByLabel("Add a group").selectOption("agent_id");
    await page.getByLabel("Filter by").selectOption("operation_type");
    await page.getByLabel("Value of Type").fill("chat");
    await page.getByRole("button", { name: "Add", exact: true }).click();
  });
  await add("كل شيء", "Numbers", async () => {
    await page.getByLabel("Add a measure").selectOption("cost_usd");
    await page.getByLabel("Width").selectOption("3");
  });
  await add("Shape", "Distribution");
  await page.getByRole("group", { name: "Panel 2, كل شيء" }).getByRole("button", { name: "Move forward" }).click();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("button", { name: "Edit", exact: true }).waitFor();
  await settled(page);
  await page.waitForURL(/#\/dashboard\/[0-9a-f-]{36}\?range=24h/);
  assert.deepEqual((await page.locator("main h2").allTextContents()).map((text) => text.trim()), [name, "كل شيء", "Agents", "Shape"]);
  await page.getByText("Operations, by agent, operation_type chat").waitFor();
  const other = await newPage(context);
  await other.page.goto(page.url());
  await settled(other.page);
  assert.equal(await other.page.locator("main section.panel").count(), 3);
  assert.deepEqual([...troubles, ...other.troubles], []);
  await context.close();
}

export async function twoWhoChangeADashboardAreTold(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  const name = unique("Shared");
  const panel = { title: "Operations", chart: "lines", measures: ["operations"] };
  const made = await context.request.post(`${ADDRESS}v1/views`, { data: { kind: "dashboard", name, definition: { panels: [panel] } } });
  assert.equal(made.status(), 201, await made.text());
  const { view_id: id } = (await made.json()) as { view_id: string };
  await open(page, `#/dashboard/${id}?range=24h&zone=UTC`);
  await page.getByRole("button", { name: "Edit", exact: true }).click();
  await page.getByLabel("What it is for").fill("mine");
  const theirs = await context.request.put(`${ADDRESS}v1/views/${id}`, { data: { version: 1, name, description: "theirs", definition: { panels: [panel, panel] } } });
  assert.equal(theirs.status(), 200);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Somebody else has changed this dashboard meanwhile.").waitFor();
  await page.getByRole("button", { name: "Save mine over it" }).click();
  await page.getByRole("button", { name: "Edit", exact: true }).waitFor();
  const { description, version } = (await (await context.request.get(`${ADDRESS}v1/views/${id}`)).json()) as { description: string; version: number };
  assert.deepEqual([description, version], ["mine", 3]);
  await context.request.delete(`${ADDRESS}v1/views/${id}`);
  await page.reload();
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await context.close();
}

export async function aPanelSaysWhatItDoesNotDraw(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  const panel = { title: "Both", chart: "lines", measures: ["operations", "cost_usd"], by: ["model"] };
  const made = await context.request.post(`${ADDRESS}v1/views`, { data: { kind: "dashboard", name: unique("Drawn"), definition: { panels: [panel] } } });
  assert.equal(made.status(), 201, await made.text());
  const { view_id: id } = (await made.json()) as { view_id: string };
  await open(page, `#/dashboard/${id}?range=24h&zone=UTC`);
  assert.equal(await page.locator("section.panel .words p").textContent(), "Operations, by model");
  await page.getByRole("button", { name: "Edit", exact: true }).click();
  await page.getByRole("button", { name: "Change", exact: true }).click();
  const hint = page.getByText("Not drawn: Cost.");
  await hint.waitFor();
  await page.getByRole("dialog").locator(".chip", { hasText: "Model" }).click();
  await page.getByText("measures of one unit are drawn on one axis").waitFor();
  await page.getByRole("dialog").locator(".chip", { hasText: "Cost" }).click();
  await hint.waitFor({ state: "detached" });
  await context.request.delete(`${ADDRESS}v1/views/${id}`);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function longNamesStayOnAPhone(browser: Browser): Promise<void> {
  const context = await newContext(browser, { width: 360, height: 740 });
  const { page, troubles } = await newPage(context);
  const long = unique("W".repeat(150));
  const panel = { title: "T".repeat(150), chart: "lines", measures: ["operations"] };
  const made = await context.request.post(`${ADDRESS}v1/views`, { data: { kind: "dashboard", name: long, description: "word ".repeat(300), definition: { panels: [panel, { ...panel, chart: "number" }] } } });
  assert.equal(made.status(), 201, await made.text());
  const { view_id: id } = (await made.json()) as { view_id: string };
  const isSideways = () => page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  await open(page, `#/dashboard/${id}?range=24h&zone=UTC`);
  assert.equal(await isSideways(), false, "a panel");
  await page.getByRole("button", { name: "Views", exact: true }).click();
  await page.locator(".lists button").first().waitFor();
  const box = await page.locator(".dropdown .content", { has: page.locator(".lists") }).boundingBox();
  assert.ok(box && box.x >= 0 && box.x + box.width <= 360, JSON.stringify(box));
  await open(page, "#/dashboards?range=24h&zone=UTC");
  assert.equal(await isSideways(), false, "the list");
  const about = await page.locator(".about").first().boundingBox();
  assert.ok(about && about.height < 50, JSON.stringify(about));
  await context.request.delete(`${ADDRESS}v1/views/${id}`);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aViewOfTheSameNameCanBeReplaced(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  const name = unique("Taken");
  const made = await context.request.post(`${ADDRESS}v1/views`, { data: { kind: "view", name, description: "kept", definition: { address: "#/cost?range=7d" } } });
  assert.equal(made.status(), 201, await made.text());
  const { view_id: id } = (await made.json()) as { view_id: string };
  await open(page, "#/tokens?range=24h&zone=UTC");
  await page.getByRole("button", { name: "Views", exact: true }).click();
  await page.getByLabel("Name of this view").fill(name);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("button", { name: "Replace it by this view" }).click();
  await page.getByText(`Replaced ${name}`).waitFor();
  const { description, version, definition } = (await (await context.request.get(`${ADDRESS}v1/views/${id}`)).json()) as { description: string; version: number; definition: { address: string } };
  assert.deepEqual([description, version, definition.address], ["kept", 2, "#/tokens?range=24h&zone=UTC"]);
  await context.request.delete(`${ADDRESS}v1/views/${id}`);
  await context.close();
}

// The list of operations and what one of them shows.
import assert from "node:assert/strict";
import type { Browser, Locator, Route } from "playwright-core";
import { newContext, newPage, open, PAGES, settled } from "./browser";

const HOSTILE = `<img src=x onerror="document.title='owned'">${"long".repeat(30)}`;

export async function theListGoesOnAsFarAsOneScrolls(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/operations?range=24h&zone=UTC");
  const list = page.getByRole("region", { name: "Operations, newest first" });
  await list.locator("tr.row").first().waitFor();
  const first = Number(await list.locator("table").getAttribute("aria-rowcount"));
  await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await page.waitForFunction((before) => Number(document.querySelector("table[aria-rowcount]")?.getAttribute("aria-rowcount")) > before, first);
  const drawn = await list.locator("tr.row").count();
  assert.ok(drawn < 80, `${drawn} rows are there although few are seen`);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function anOperationStandsInTheAddress(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/operations?range=24h&zone=UTC&operation_type=chat&outcome=success");
  await page.locator("tr.row a").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("All fields").waitFor();
  await dialog.getByText("Together").waitFor();
  const address = page.url();
  assert.match(address, /operation=[0-9a-f-]{36}/);
  const other = await newPage(context);
  await other.page.goto(address);
  await other.page.getByRole("dialog").getByText("All fields").waitFor();
  await page.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await page.waitForURL((url) => !/operation=/.test(url.href));
  assert.deepEqual([...troubles, ...other.troubles], []);
  await context.close();
}

export async function anOperationLeadsToWhatBelongsToIt(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/operations?range=24h&zone=UTC&order=attempt&columns=time,attempt,call_id");
  // The last attempt of a call that was tried more than once.
  await page.locator("tr.row a").first().click();
  const dialog = page.getByRole("dialog");
  const attempts = dialog.getByRole("region", { name: "Attempts of this call" });
  await attempts.waitFor();
  assert.ok((await attempts.locator("tbody tr").count()) > 1);
  const id = /operation=([0-9a-f-]{36})/.exec(page.url())?.[1];
  await dialog.getByRole("button", { name: "Copy id" }).click();
  await dialog.getByText("Id copied").waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), id);
  await attempts.getByRole("link", { name: "Attempt 1" }).click();
  await attempts.getByText("1, this one").waitFor();
  await page.waitForURL((url) => !new RegExp(`operation=${id}`).test(url.href));
  const field = (name: string) => dialog.locator(`dt:text-is("${name}") + dd a`);
  const [session, workspace] = await Promise.all([field("session_id").textContent(), field("workspace").textContent()]);
  await field("session_id").click();
  await page.getByRole("heading", { name: `Session ${session}` }).waitFor();
  await page.waitForURL(new RegExp(`/sessions\\?.*of=${workspace}`));
  assert.equal(await dialog.count(), 0);
  await page.goBack();
  const model = await field("model").textContent();
  await field("model").click();
  await page.getByRole("region", { name: "Operations, newest first" }).locator("tr.row").first().waitFor();
  assert.equal(new URLSearchParams(page.url().split("?")[1]).get("model"), model);
  assert.equal(await dialog.count(), 0);
  assert.deepEqual(troubles, []);
  await context.close();
}

const shownNumbers = async (list: Locator) =>
  list.locator("tr.row td:nth-child(3)").evaluateAll((cells) => cells.map((cell) => Number(cell.getAttribute("title")?.replaceAll(/[^0-9.]/g, ""))));

export async function theListCanBeInTheOrderOfANumber(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/operations?range=24h&zone=UTC&columns=time,model,latency_us");
  await page.getByRole("button", { name: "Latency" }).click();
  const list = page.getByRole("region", { name: "Operations by latency, the largest first" });
  await list.locator("tr.row").first().waitFor();
  await page.waitForURL(/order=latency_us/);
  const exact = await shownNumbers(list);
  assert.ok(exact.length > 10 && (exact[0] ?? 0) > 0, exact.join(" "));
  assert.deepEqual(exact, [...exact].sort((a, b) => b - a));
  assert.equal(await list.getByRole("columnheader", { name: "Latency" }).getAttribute("aria-sort"), "descending");
  const before = Number(await list.locator("table").getAttribute("aria-rowcount"));
  await list.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await page.waitForFunction((rows) => Number(document.querySelector("table[aria-rowcount]")?.getAttribute("aria-rowcount")) > rows, before);
  await list.getByRole("button", { name: "Time", exact: true }).click();
  await page.getByRole("region", { name: "Operations, newest first" }).locator("tr.row").first().waitFor();
  await page.waitForURL((url) => !/order=/.test(url.href));
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aHeadThatIsPressedAgainTurnsTheListRound(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/operations?range=24h&zone=UTC&columns=time,model,latency_us&order=latency_us");
  await page.getByRole("button", { name: "Latency" }).click();
  const list = page.getByRole("region", { name: "Operations by latency, the smallest first" });
  await list.locator("tr.row").first().waitFor();
  assert.match(page.url(), /direction=ascending/);
  const exact = await shownNumbers(list);
  assert.ok(exact.length > 10, exact.join(" "));
  assert.deepEqual(exact, [...exact].sort((a, b) => a - b));
  assert.equal(await list.getByRole("columnheader", { name: "Latency" }).getAttribute("aria-sort"), "ascending");
  await list.getByRole("button", { name: "Time", exact: true }).click();
  await page.getByRole("region", { name: "Operations, newest first" }).getByRole("button", { name: "Time", exact: true }).click();
  const oldest = page.getByRole("region", { name: "Operations, oldest first" });
  await oldest.locator("tr.row").first().waitFor();
  await page.getByText("oldest operations").waitFor();
  const times = await oldest.locator("tr.row td:nth-child(1)").evaluateAll((cells) => cells.map((cell) => Date.parse(cell.getAttribute("title")?.replace(/ UTC.*/, " UTC") ?? "")));
  assert.ok(times.length > 10 && new Set(times).size > 1, times.join(", "));
  assert.deepEqual(times, [...times].sort((a, b) => a - b));
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function columnsAreChosenInTheAddress(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/operations?range=1h&zone=UTC");
  await page.getByRole("button", { name: "Columns" }).click();
  await page.getByLabel("Team").check();
  await page.waitForURL(/columns=[a-z_,]*team/);
  await page.locator("th", { hasText: "Team" }).waitFor();
  await page.getByLabel("Team").uncheck();
  await page.waitForURL((url) => !/columns=/.test(url.href));
  await context.close();
}

export async function chosenColumnsAreThereOnAPhone(browser: Browser): Promise<void> {
  const context = await newContext(browser, { width: 360 });
  const { page, troubles } = await newPage(context);
  await open(page, "#/operations?range=24h&zone=UTC");
  await page.locator("tr.row").first().waitFor();
  assert.equal(await page.locator("th", { hasText: "Latency" }).isVisible(), false, "of the usual columns those that have room");
  await open(page, "#/operations?range=24h&zone=UTC&columns=time,model,team,input_tokens,latency_us,call_id");
  const list = page.getByRole("region", { name: "Operations, newest first" });
  await list.locator("tr.row").first().waitFor();
  for (const label of ["Time", "Model", "Team", "In", "Latency", "Call"]) assert.ok(await list.locator("th", { hasText: new RegExp(`^\\s*${label}`) }).isVisible(), label);
  assert.ok(await list.evaluate((element) => element.scrollWidth > element.clientWidth), "it scrolls sideways");
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "the page does not");
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function whatUsersSayIsOnlyEverText(browser: Browser): Promise<void> {
  const context = await newContext(browser, { width: 360 });
  const { page, troubles } = await newPage(context);
  // No operation that the server knows passes a hostile filter.
  const fetched = (route: Route) => {
    const url = new URL(route.request().url());
    url.searchParams.delete("agent_id");
    return route.fetch({ url: url.href });
  };
  await page.route("**/v1/operations?*", async (route) => {
    const response = await fetched(route);
    const body = (await response.json()) as { operations: Record<string, unknown>[] };
    for (const operation of body.operations) Object.assign(operation, { model: HOSTILE, agent_id: HOSTILE, error_type: HOSTILE, success: false });
    await route.fulfill({ response, json: body });
  });
  await page.route("**/v1/operations/*", async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as Record<string, unknown>;
    const messages = JSON.stringify([{ role: HOSTILE, content: HOSTILE }]);
    await route.fulfill({ response, json: { ...body, model: HOSTILE, error_message: HOSTILE, content: { input_messages: messages, output_messages: HOSTILE } } });
  });
  await page.route("**/v1/query?*", async (route) => {
    const response = await fetched(route);
    const body = (await response.json()) as { groups: { dimensions: Record<string, string> }[] };
    for (const group of body.groups) for (const name of Object.keys(group.dimensions)) group.dimensions[name] = `${HOSTILE}${body.groups.indexOf(group)}`;
    await route.fulfill({ response, json: body });
  });
  for (const kind of ["sessions", "traces"] as const) {
    await page.route(`**/v1/${kind}?*`, async (route) => {
      const response = await fetched(route);
      const body = (await response.json()) as Record<typeof kind, Record<string, unknown>[]>;
      body[kind].forEach((one, at) => Object.assign(one, { session_id: `${HOSTILE}${at}`, workspace: HOSTILE, agents: [HOSTILE], models: [HOSTILE], users: [HOSTILE], root: { operation_type: HOSTILE, agent: HOSTILE, model: HOSTILE, service: HOSTILE } }));
      await route.fulfill({ response, json: body });
    });
  }
  const here = PAGES;
  for (const name of ["performance", "cost", "tokens", "agents", "overview", "sessions", "traces", "operations"].filter((one) => here.includes(one))) {
    await open(page, `#/${name}?range=24h&zone=UTC&agent_id=${encodeURIComponent(HOSTILE)}`);
    const wide = await page.evaluate(() => {
      const scrolls = (element: Element) => element.closest(".scroll, .names, nav, .clip, svg, .visually-hidden") !== null;
      return [...document.querySelectorAll("main *")].filter((element) => !scrolls(element) && element.getBoundingClientRect().right > window.innerWidth + 1).map((element) => element.outerHTML.slice(0, 120));
    });
    assert.deepEqual(wide.slice(0, 2), [], `${name} is wider than the screen`);
  }
  await page.locator("tr.row a").first().click();
  await page.getByRole("dialog").getByText("All fields").waitFor();
  await settled(page);
  assert.equal(await page.locator('img[src="x"]').count(), 0);
  assert.notEqual(await page.title(), "owned");
  assert.ok((await page.getByText("onerror").count()) > 0, "it is shown");
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aLongModelLeavesTheButtonsWhereTheyAre(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await page.route("**/v1/operations/*", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), model: "m".repeat(1_000) } });
  });
  await open(page, "#/operations?range=24h&zone=UTC");
  await page.locator("tr.row a").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("heading", { name: /m{100}/ }).waitFor();
  const [frame, close] = await Promise.all([dialog.boundingBox(), dialog.getByRole("button", { name: "Close" }).boundingBox()]);
  assert.ok(frame && close && close.x > frame.x && close.x + close.width <= frame.x + frame.width);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aListThatFailedIsNotCalledEmpty(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/operations?range=1h&zone=UTC&http_status=abc");
  await page.getByText("This could not be read.").waitFor();
  assert.equal(await page.getByText("No operations.").count(), 0);
  assert.equal(await page.getByText(/^0 newest operations/).count(), 0);
  await context.close();
}

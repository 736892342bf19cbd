// What operations are chosen and grouped by beyond the dimensions that windows are kept by.
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { newContext, newPage, open, settled } from "./browser";

export async function aFilterOfFilesChangesTheNumbers(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/performance?range=24h&zone=UTC");
  const value = page.locator(".kpi", { hasText: "Operations" }).locator(".value");
  const before = await value.textContent();
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await page.getByRole("button", { name: "Service", exact: true }).click();
  await page.locator(".values .choice").first().click();
  await settled(page);
  await page.waitForURL(/service=/);
  assert.notEqual(await value.textContent(), before);
  await page.getByText(/from files · .* read in/).first().waitFor();
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function tagsAreFilteredAndSplitBy(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/cost?range=24h&zone=UTC");
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await page.getByRole("button", { name: "Tag", exact: true }).click();
  const keys = page.getByRole("searchbox", { name: "Key of the tag" });
  await keys.fill("demo");
  await keys.press("Enter");
  await page.getByRole("searchbox", { name: "Value of Tag demo" }).waitFor();
  await page.locator(".values .choice", { hasText: "true" }).first().click();
  await settled(page);
  await page.waitForURL(/tag=demo:true/);
  await page.keyboard.press("Escape");
  await page.getByLabel("Split by").selectOption("another tag");
  await page.getByLabel("Key of the tag").fill("demo");
  await page.getByRole("button", { name: "Split", exact: true }).click();
  await settled(page);
  await page.waitForURL(/split=tag:demo/);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function whatIsTooMuchHasAWayOut(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  let isRefused = true;
  await page.route("**/v1/query?*", (route) =>
    isRefused && route.request().url().includes("user_id") ? route.fulfill({ status: 422, json: { error: { code: "too_slow", message: "the files of this range take more than 10 s" } } }) : route.continue(),
  );
  await page.goto(`${process.env.OPSTREAM_URL ?? "http://127.0.0.1:8080/"}#/cost?range=7d&zone=UTC&user_id=somebody&environment=production`);
  const panel = page.locator('section[aria-labelledby="panel-teams"]');
  await panel.getByText("This takes too long").waitFor();
  await panel.getByText("the files of this range take more than 10 s").waitFor();
  await panel.getByRole("button", { name: "Only filters that windows know" }).click();
  await page.waitForURL(/environment=production/);
  await page.waitForURL((url) => !/user_id=/.test(url.href));
  isRefused = false;
  await settled(page);
  await panel.getByText("This takes too long").waitFor({ state: "detached" });
  await context.close();
}

export async function aBusyServerIsAskedAgain(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  let refused = 0;
  await page.route("**/v1/query?*", async (route) => {
    const url = new URL(route.request().url());
    if (!url.searchParams.has("user_id")) return route.continue();
    if (refused++ < 2) return route.fulfill({ status: 503, headers: { "retry-after": "1" }, json: { error: { code: "busy", message: "busy" } } });
    // The answer is not what this is about.
    url.searchParams.delete("user_id");
    return route.fulfill({ response: await route.fetch({ url: url.href }) });
  });
  await open(page, "#/cost?range=24h&zone=UTC&user_id=somebody");
  assert.ok(refused > 2);
  assert.equal(await page.getByText("The server is busy").count(), 0);
  await context.close();
}

export async function failuresAreChosenInTheirChart(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/overview?range=24h&zone=UTC");
  const legend = page.locator('section[aria-labelledby="panel-operations"]').getByRole("button", { name: /^failed/ });
  await legend.click();
  await page.waitForURL(/outcome=failure/);
  await settled(page);
  await page.waitForFunction(() => document.querySelector('section[aria-labelledby="panel-operations"] button[aria-pressed="true"]')?.textContent?.includes("failed"));
  await legend.click();
  await page.waitForURL((url) => !/outcome=/.test(url.href));
  assert.deepEqual(troubles, []);
  await context.close();
}

// What is shown when there is nothing to show, and when the server wants to know who asks.
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { newContext, newPage, open, settled } from "./browser";

async function emptied(page: Page): Promise<void> {
  await page.route("**/v1/query?*", async (route) => {
    const response = await route.fetch();
    const body = (await response.json()) as { groups: { totals: object }[] };
    await route.fulfill({ response, json: { ...body, groups: body.groups.map((group) => ({ ...group, totals: { operations: 0 }, series: undefined })) } });
  });
  await page.route("**/v1/operations?*", (route) => route.fulfill({ json: { operations: [], next_cursor: null } }));
}

export async function aNewServerSaysHowToBegin(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await emptied(page);
  await page.goto(`${process.env.OPSTREAM_URL ?? "http://127.0.0.1:8080"}#/overview?range=24h&zone=UTC`);
  await page.getByText("No operations yet").waitFor();
  const command = await page.locator("pre").textContent();
  assert.match(command ?? "", /^curl http:.*\/v1\/operations/);
  await page.getByRole("button", { name: "Copy" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), command);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function anEmptyRangeSaysThatThereIsMoreElsewhere(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/overview?from=2016-01-01T00:00Z&to=2016-01-02T00:00Z&zone=UTC");
  await page.getByText(/No operations in this range, but [\d,]+ outside it\./).waitFor();
  await page.getByRole("button", { name: "Show all time" }).click();
  await page.getByText("No operations in this range").first().waitFor({ state: "detached" });
  await settled(page);
  await page.waitForURL(/range=all/);
  assert.notEqual(await page.locator(".kpi .value").first().textContent(), "0");
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aTokenIsAskedForAndKeptInTheTab(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await page.route("**/v1/**", async (route) => {
    const isKnown = route.request().headers().authorization === "Bearer right";
    await (isKnown ? route.continue() : route.fulfill({ status: 401, json: { error: { code: "unauthorized", message: "a token is needed" } } }));
  });
  await page.goto(`${process.env.OPSTREAM_URL ?? "http://127.0.0.1:8080"}#/overview?range=24h&zone=UTC`);
  await page.getByLabel("Token").fill("wrong");
  await page.getByRole("button", { name: "Continue" }).click();
  await page.getByText("The server refused this token.").waitFor();
  await page.getByLabel("Token").fill("right");
  await page.getByRole("button", { name: "Continue" }).click();
  await settled(page);
  assert.ok((await page.locator(".kpi").count()) > 0);
  await page.waitForURL((url) => !/right/.test(url.href));
  // Streams, files and statements are asked for by other ways than numbers.
  const go = (hash: string) => page.evaluate((next) => (location.hash = next), hash);
  await go("#/live?range=24h&zone=UTC");
  await page.getByRole("region", { name: "Operations, newest first" }).locator("tr.row").first().waitFor();
  await go("#/operations?range=1h&zone=UTC");
  await settled(page);
  await page.getByRole("button", { name: "Save all", exact: true }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: /^CSV / }).click()]);
  assert.match(download.suggestedFilename(), /^opstream-operations-.*\.csv$/);
  await go(`#/sql?range=1h&zone=UTC&sql=${encodeURIComponent("select count(*) as n from operations")}`);
  await page.getByRole("button", { name: /^Run/ }).click();
  await page.getByRole("region", { name: "Result" }).locator("tr.row").first().waitFor();
  assert.equal(await page.getByLabel("Token").count(), 0);
  await context.close();
}

export async function nothingIsAskedWhileThePageIsHiddenOrStopped(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/overview?range=15m&zone=UTC");
  let asked = 0;
  page.on("request", () => (asked += 1));
  const during = async (millis: number) => {
    asked = 0;
    await page.waitForTimeout(millis);
    return asked;
  };
  assert.ok((await during(7_000)) > 0, "it is asked again after five seconds");
  const hide = (isHidden: boolean) =>
    page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, isHidden);
  await hide(true);
  await page.waitForTimeout(1_000);
  assert.equal(await during(7_000), 0, "hidden");
  const again = page.waitForRequest("**/v1/query?*", { timeout: 2_000 });
  await hide(false);
  await again;
  await page.getByRole("button", { name: "Live" }).click();
  await page.waitForTimeout(1_000);
  assert.equal(await during(7_000), 0, "stopped");
  await context.close();
}

export async function theReaderChoosesTheColours(browser: Browser): Promise<void> {
  const context = await newContext(browser, { theme: "light" });
  const { page } = await newPage(context);
  await open(page, "#/overview?range=1h&zone=UTC");
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await back();
  await page.getByRole("button", { name: "Change to dark colours" }).click();
  assert.notEqual(await back(), light);
  await page.reload();
  await settled(page);
  assert.notEqual(await back(), light, "the choice lasts as long as the tab");
  await context.close();
}

export async function aServerThatIsAwayIsSaidAndWaitedFor(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/overview?range=15m&zone=UTC");
  await context.setOffline(true);
  await page.getByText(/^no answer since \d\d:\d\d:\d\d$/).waitFor({ timeout: 15_000 });
  // Its files were not loaded before.
  await page.getByRole("link", { name: "Traces", exact: true }).click();
  await page.getByText("the server cannot be reached").first().waitFor();
  await context.setOffline(false);
  await page.getByRole("heading", { name: "Traces", level: 2 }).waitFor({ timeout: 20_000 });
  await page.getByText(/^no answer since/).waitFor({ state: "detached" });
  await context.close();
}

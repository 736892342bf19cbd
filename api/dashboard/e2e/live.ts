// What arrives, as it arrives. But for the first check the stream is made up here: its rare events would not come in time by themselves.
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { ADDRESS, newContext, newPage } from "./browser";

const at = new Date().toISOString();
const event = (name: string, data: object) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
const operation = (number: number) =>
  event("operation", { operation_id: `01a21ff2-0bbd-74e6-9ae3-${number.toString(16).padStart(12, "0")}`, time: at, operation_type: "chat", model: number === 3 ? "<img src=x onerror=\"document.title='owned'\">" : `model-${number}`, success: number % 2 === 0, error_type: "rate_limit", workspace: "w", cost_usd: null });
const STREAM = [operation(1), operation(2), operation(3), event("skipped", { operations: 41 }), event("skipped", { operations: 1 }), event("rates", { at, operations: 45, failures: 7, input_tokens: 1000, output_tokens: 50 }), event("gap", { message: "the broker was away" }), ": alive\n\n"].join("");

async function opened(page: Page, hash: string): Promise<void> {
  await page.goto(`${ADDRESS}${hash}`);
  await page.getByRole("region", { name: "Operations, newest first" }).locator("tr.row").first().waitFor();
}

/** The demo goes on by itself: what it records has to come, and to be found as a stored operation a moment later. */
export async function operationsOfTheTopicCome(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await opened(page, "#/live?range=1h&zone=UTC");
  const first = await page.locator("tr.row a").first().getAttribute("href");
  const id = /operation=([0-9a-f-]{36})/.exec(first ?? "")?.[1];
  assert.ok(id, `a row links to its operation: ${first}`);
  await page.getByRole("slider", { name: "Operations a second, second by second" }).waitFor();
  let status = 404;
  for (let tries = 0; tries < 50 && status === 404; tries += 1) {
    status = (await fetch(`${ADDRESS}v1/operations/${id}`)).status;
    await page.waitForTimeout(200);
  }
  assert.equal(status, 200, "what was seen is stored");
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function theTailShowsWhatArrives(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  const asked: string[] = [];
  await page.route("**/v1/live**", (route) => {
    asked.push(route.request().url());
    return route.fulfill({ status: 200, headers: { "content-type": "text/event-stream" }, body: STREAM });
  });
  await opened(page, "#/live?range=1h&zone=UTC&team=search&tag=a:b&outcome=failure");
  assert.match(asked[0] ?? "", /\/v1\/live\?team=search&outcome=failure&tag=a%3Ab$/);
  await page.getByText("the broker was away").first().waitFor();
  await page.getByText(/more passed and were not sent/).waitFor();
  assert.match((await page.getByRole("slider", { name: "Operations a second, second by second" }).getAttribute("aria-valuetext")) ?? "", /45 operations\/s, 7 failed/);
  await page.waitForTimeout(1_500);
  assert.ok(asked.length > 1, "a stream that ends is asked for again");
  assert.equal(await page.locator('img[src="x"]').count(), 0);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aPausedTailStaysAndCounts(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  let answers = 0;
  await page.route("**/v1/live**", (route) => route.fulfill({ status: 200, headers: { "content-type": "text/event-stream" }, body: operation(100 + answers++) }));
  await opened(page, "#/live?range=1h&zone=UTC");
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  const list = page.getByRole("region", { name: "Operations, newest first" }).locator("table");
  const before = await list.getAttribute("aria-rowcount");
  await page.getByText(/^\d+ came since$/).waitFor();
  assert.equal(await list.getAttribute("aria-rowcount"), before);
  await page.getByRole("button", { name: "Continue", exact: true }).click();
  await page.waitForFunction((rows) => document.querySelector("table[aria-rowcount]")?.getAttribute("aria-rowcount") !== rows, before);
  await context.close();
}

export async function aRefusedTailIsNotAskedAgain(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  let asked = 0;
  await page.route("**/v1/live**", (route) => {
    asked += 1;
    return route.fulfill({ status: 422, json: { error: { code: "invalid_parameter", message: "sample is no number" } } });
  });
  await page.goto(`${ADDRESS}#/live?range=1h&zone=UTC`);
  await page.getByText("sample is no number; refused").waitFor();
  await page.waitForTimeout(1_500);
  assert.equal(asked, 1);
  await context.close();
}

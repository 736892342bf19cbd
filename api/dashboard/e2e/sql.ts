// Statements, and what they find.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { newContext, newPage, open, settled } from "./browser";

export async function aStatementStandsInTheAddress(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/sql?range=24h&zone=UTC");
  const editor = page.getByRole("textbox", { name: /SQL statement/ });
  await editor.fill("select model, count(*) as n from operations group by model order by n desc");
  await page.keyboard.press("Control+Enter");
  const result = page.getByRole("region", { name: "Result" });
  await result.locator("tr.row").first().waitFor();
  await page.waitForURL(/sql=select\+model/);
  const rows = await result.locator("tr.row").count();
  const other = await newPage(context);
  await other.page.goto(page.url());
  await other.page.getByText("This statement came with the address").waitFor();
  await other.page.getByRole("button", { name: /^Run/ }).click();
  await other.page.getByRole("region", { name: "Result" }).locator("tr.row").first().waitFor();
  assert.equal(await other.page.getByRole("region", { name: "Result" }).locator("tr.row").count(), rows);
  assert.equal(await other.page.getByText("This statement came with the address").count(), 0);
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  await page.getByText(`${rows} rows copied`).waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied.split("\n")[0], "model\tn");
  assert.equal(copied.split("\n").length, rows + 1);
  await page.getByRole("button", { name: "Save as" }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV" }).click()]);
  assert.match(await readFile(await download.path(), "utf8"), /^model,n\r?\n/);
  assert.match(download.suggestedFilename(), /^opstream-sql-\d{4}-\d{2}-\d{2}\.csv$/);
  assert.deepEqual([...troubles, ...other.troubles], []);
  await context.close();
}

/** Whoever makes a link must not make a reader's browser run SQL. */
export async function aStatementOfTheAddressWaitsForItsReader(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  const posted: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/v1/sql")) posted.push(request.postData() ?? "");
  });
  const foreign = "select count(*) as foreign_one from operations";
  const address = `#/sql?range=24h&zone=UTC&sql=${encodeURIComponent(foreign)}`;
  await open(page, address);
  const editor = page.getByRole("textbox", { name: /SQL statement/ });
  assert.equal(await editor.inputValue(), foreign);
  const notice = page.getByText("This statement came with the address; run it when you know what it does.");
  await notice.waitFor();
  await page.waitForTimeout(1_000);
  assert.deepEqual(posted, [], "a load runs nothing");
  await editor.fill("select count(*) as own from operations");
  await page.getByRole("button", { name: /^Run/ }).click();
  const result = page.getByRole("region", { name: "Result" });
  await result.getByRole("columnheader", { name: "own" }).waitFor();
  // A link within the page, and the browser's way back and forth.
  await page.evaluate((hash) => (location.hash = hash), `${address}&x=1`);
  await notice.waitFor();
  assert.equal(await editor.inputValue(), foreign);
  await page.goBack();
  await page.goBack();
  await notice.waitFor();
  await page.waitForTimeout(1_000);
  assert.equal(posted.length, 1, posted.join("\n"));
  assert.equal(await result.getByRole("columnheader", { name: "own" }).count(), 1, "what the reader found stays");
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aWrongStatementIsSaidInPlace(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/sql?range=1h&zone=UTC");
  const editor = page.getByRole("textbox", { name: /SQL statement/ });
  await editor.fill("delete from operations");
  let posted = 0;
  page.on("request", (request) => (posted += request.method() === "POST" ? 1 : 0));
  await page.keyboard.press("Control+Enter");
  const result = page.getByRole("region", { name: "Result" });
  await result.locator('pre[role="alert"]').waitFor();
  assert.equal(await result.getByText("Running").count(), 0, "a failure ends it");
  assert.equal(await result.getAttribute("aria-busy"), "false");
  // The clock of this range goes on every five seconds.
  await page.waitForTimeout(7_000);
  assert.equal(posted, 1, "a statement is asked once");
  await editor.fill("select nothing_like_it from operations");
  await page.getByRole("button", { name: /^Run/ }).click();
  await page.locator('pre[role="alert"]', { hasText: "nothing_like_it" }).waitFor();
  assert.equal(await result.getByText("Running").count(), 0, "the second time too");
  // An example mends it.
  await page.locator(".examples button").first().click();
  await page.getByRole("region", { name: "Result" }).locator("tr.row").first().waitFor();
  await settled(page);
  await context.close();
}

export async function columnsArePutIntoTheStatement(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/sql?range=24h&zone=UTC");
  const editor = page.getByRole("textbox", { name: /SQL statement/ });
  await editor.fill("select");
  await page.getByRole("searchbox", { name: "Search columns" }).fill("latency_us");
  await page.getByRole("region", { name: "Tables and columns" }).getByRole("button", { name: /^latency_us/ }).click();
  assert.equal(await editor.inputValue(), "select latency_us");
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aLongStatementIsCancelled(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await page.route("**/v1/sql", () => undefined);
  await open(page, "#/sql?range=24h&zone=UTC");
  await page.getByRole("textbox", { name: /SQL statement/ }).fill("select 1 as one");
  await page.getByRole("button", { name: /^Run/ }).click();
  await page.getByText("1 s", { exact: true }).waitFor();
  const left = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/v1/sql"));
  await page.getByRole("button", { name: "Cancel" }).click();
  await left;
  await page.getByRole("heading", { name: "Result" }).waitFor({ state: "detached" });
  await page.unroute("**/v1/sql");
  await page.getByRole("button", { name: /^Run/ }).click();
  await page.getByRole("region", { name: "Result" }).getByRole("columnheader", { name: "one" }).waitFor();
  assert.deepEqual(troubles, []);
  await context.close();
}

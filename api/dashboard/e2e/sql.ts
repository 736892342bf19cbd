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
  assert.match(page.url(), /sql=select\+model/);
  const rows = await result.locator("tr.row").count();
  const other = await newPage(context);
  await other.page.goto(page.url());
  await other.page.getByRole("region", { name: "Result" }).locator("tr.row").first().waitFor();
  assert.equal(await other.page.getByRole("region", { name: "Result" }).locator("tr.row").count(), rows);
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

export async function aWrongStatementIsSaidInPlace(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/sql?range=24h&zone=UTC&sql=delete+from+operations");
  await page.locator('pre[role="alert"]').waitFor();
  const editor = page.getByRole("textbox", { name: /SQL statement/ });
  await editor.fill("select nothing_like_it from operations");
  await page.getByRole("button", { name: /^Run/ }).click();
  await page.locator('pre[role="alert"]', { hasText: "nothing_like_it" }).waitFor();
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

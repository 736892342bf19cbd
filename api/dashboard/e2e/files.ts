// Files that the server makes, and distributions.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { newContext, newPage, open, settled } from "./browser";

export async function operationsAreSavedWithTheirFilters(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/operations?range=24h&zone=UTC&provider=openai");
  for (const [label, beginning] of [["JSON", /^\{/], ["Parquet", /^PAR1/], ["CSV", /^time,operation_id/]] as const) {
    await page.getByRole("button", { name: "Save all", exact: true }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: new RegExp(`^${label} `) }).click()]);
    const text = await readFile(await download.path(), "latin1");
    assert.match(text, beginning, label);
    if (label === "JSON") assert.deepEqual(new Set(text.trimEnd().split("\n").map((line) => (JSON.parse(line) as { provider: string }).provider)), new Set(["openai"]));
  }
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aPanelGivesItsNumbersAwayWithTypes(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/cost?range=24h&zone=UTC");
  await page.getByRole("button", { name: "Menu of Teams", exact: true }).click();
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save numbers (Parquet)" }).click()]);
  assert.match(download.suggestedFilename(), /^opstream-teams-.*\.parquet$/);
  assert.match(await readFile(await download.path(), "latin1"), /^PAR1/);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aDistributionIsReadFromShortToLong(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/performance?range=24h&zone=UTC");
  const plot = page.getByRole("slider", { name: "Distribution of latency, from short to long" });
  await plot.focus();
  await page.keyboard.press("Home");
  assert.match((await plot.getAttribute("aria-valuetext")) ?? "", /^0.% take at most/);
  await page.keyboard.press("End");
  assert.match((await plot.getAttribute("aria-valuetext")) ?? "", /^100.% take at most/);
  await page.getByLabel("Duration").first().selectOption("ttft");
  await settled(page);
  await page.waitForURL(/duration=ttft/);
  await page.getByRole("slider", { name: "Distribution of time to first token, from short to long" }).waitFor();
  await page.locator('section[aria-labelledby="panel-time-to-first-token-by-provider"] .legend button').first().click();
  await settled(page);
  await page.waitForURL(/provider=/);
  assert.deepEqual(troubles, []);
  await context.close();
}

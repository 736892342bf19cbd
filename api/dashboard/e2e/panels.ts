// What a panel gives away, and what it says when there is no answer.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { newContext, newPage, open, settled } from "./browser";

async function choose(page: Page, title: string, entry: string): Promise<void> {
  await page.getByRole("button", { name: `Menu of ${title}`, exact: true }).click();
  await page.getByRole("button", { name: entry }).click();
}

export async function aPanelGivesItsNumbersAway(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/cost?range=24h&zone=UTC");
  const [download] = await Promise.all([page.waitForEvent("download"), choose(page, "Teams", "Save numbers (CSV)")]);
  const text = await readFile(await download.path(), "utf8");
  const [head, ...rows] = text.trimEnd().split("\r\n");
  assert.equal(head, "team,cost_usd");
  const shown = await page.locator('section[aria-labelledby="panel-teams"] button.row').count();
  assert.equal(rows.length, shown);
  await choose(page, "Teams", "Show as table");
  assert.equal(await page.locator('section[aria-labelledby="panel-teams"] tbody tr').count(), shown);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aPanelGivesAPictureAway(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/overview?range=24h&zone=UTC");
  for (const title of ["Operations", "Providers", "Totals"]) {
    const [download] = await Promise.all([page.waitForEvent("download"), choose(page, title, "Save picture (PNG)")]);
    assert.match(download.suggestedFilename(), /^opstream-[a-z]+-\d{4}-\d{2}-\d{2}\.png$/);
    const picture = await readFile(await download.path());
    assert.equal(picture.subarray(1, 4).toString(), "PNG");
    // Width and height of a PNG are at bytes 16 and 20.
    assert.ok(picture.readUInt32BE(16) > 600 && picture.readUInt32BE(20) > 200);
    assert.ok(picture.length > 15_000, `${title}: ${picture.length} bytes are an empty picture`);
  }
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aLinkToAPanelLeadsThere(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/cost?range=24h&zone=UTC");
  await choose(page, "Unpriced traffic", "Copy link");
  const link = await page.evaluate(() => navigator.clipboard.readText());
  const other = await newPage(context);
  await other.page.goto(link);
  await settled(other.page);
  const box = await other.page.locator('section[aria-labelledby="panel-unpriced-traffic"]').boundingBox();
  assert.ok(box && box.y >= 0 && box.y < 900, "the panel is on the screen");
  await context.close();
}

export async function aFailureKeepsTheOldPictureAndCanBeRepeated(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/cost?range=24h&zone=UTC");
  const panel = page.locator('section[aria-labelledby="panel-teams"]');
  const rows = await panel.locator("button.row").count();
  await page.route("**/v1/query?*", (route) => route.fulfill({ status: 503, json: { error: { code: "unavailable", message: "the database does not answer" } } }));
  await page.getByRole("button", { name: "Compare" }).click();
  await page.getByRole("button", { name: "Live" }).click();
  await page.getByRole("button", { name: "Live" }).click();
  await panel.getByText("These numbers are not of the present: the database does not answer.").waitFor();
  assert.equal(await panel.locator("button.row").count(), rows);
  await page.unroute("**/v1/query?*");
  await panel.getByRole("button", { name: "Try again" }).click();
  await panel.getByText("the database does not answer").waitFor({ state: "detached" });
  await context.close();
}

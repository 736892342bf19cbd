// How much the first look at a page loads.
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { ADDRESS, newContext, newPage, open } from "./browser";

/** Scripts, styles and the page itself, compressed. */
const MOST_BYTES = 100_000;

export async function aPageAsksFewQuestions(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  for (const [name, most] of [["overview", 11], ["performance", 12], ["operations", 3]] as const) {
    const asked: string[] = [];
    page.on("request", (request) => void (request.url().includes("v1/") && asked.push(request.url())));
    await open(page, `#/${name}?range=24h&zone=UTC`);
    page.removeAllListeners("request");
    assert.equal(new Set(asked).size, asked.length, `${name} asks nothing twice`);
    assert.ok(asked.length <= most, `${name}: ${asked.length} questions`);
  }
  await context.close();
}

export async function whatAPageRemembersAsksNothingAgain(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/overview?range=24h&zone=UTC");
  await page.locator("tr.row").first().waitFor();
  await page.getByRole("button", { name: "Live" }).click();
  // Nobody shares answers that are older.
  await page.waitForTimeout(2_500);
  const asked: string[] = [];
  page.on("request", (request) => void (request.url().includes("v1/") && asked.push(request.url())));
  await page.locator("tr.row a").first().click();
  await page.getByRole("dialog").getByText("All fields").waitFor();
  assert.equal(asked.length, 1, asked.join(" "));
  await context.close();
}

export async function theFirstLookIsLight(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  const sizes: number[] = [];
  const read: Promise<void>[] = [];
  page.on("response", (response) => {
    const path = response.url().slice(ADDRESS.length).split("#")[0] ?? "";
    if (!path.startsWith("v1/")) read.push(response.body().then((body) => void sizes.push(gzipSync(body).length)));
  });
  await open(page, "#/overview?range=24h&zone=UTC");
  await Promise.all(read);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  console.log(`        ${sizes.length} files, ${bytes} bytes compressed`);
  assert.ok(sizes.length > 3 && bytes < MOST_BYTES, `${bytes} bytes`);
  await context.close();
}

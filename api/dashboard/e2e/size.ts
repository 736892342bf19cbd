// How much the first look at a page loads.
import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { ADDRESS, newContext, newPage, open } from "./browser";

/** Scripts, styles and the page itself, compressed. */
const MOST_BYTES = 100_000;

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

// Sessions and traces: the lists, and what happened in one of them.
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { newContext, newPage, open, settled } from "./browser";

export async function aSessionIsReadAsATimeline(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/sessions?range=24h&zone=UTC");
  await page.getByRole("columnheader", { name: "Operations" }).getByRole("button").click();
  await settled(page);
  await page.waitForURL(/order=operations/);
  const first = page.locator("tr.row").nth(1);
  const operations = Number((await first.locator("td").nth(3).textContent())?.trim());
  const name = await first.locator("a").textContent();
  await first.locator("a").click();
  const list = page.getByRole("region", { name: "Operations of the session, oldest first" });
  await list.locator("tr.row").first().waitFor();
  assert.equal(Number(await list.locator("table").getAttribute("aria-rowcount")) - 1, operations, "as many as the list said");
  const strip = page.getByRole("slider", { name: "The session, operation by operation" });
  await strip.focus();
  await page.keyboard.press("End");
  assert.match((await strip.getAttribute("aria-valuetext")) ?? "", new RegExp(`operation ${operations} of ${operations}`));
  const address = page.url();
  await list.locator("tr.row a").first().click();
  await page.getByRole("dialog").getByText("All fields").waitFor();
  await page.keyboard.press("Escape");
  await page.goto("about:blank");
  await page.goto(address);
  await page.getByRole("heading", { name: `Session ${name}` }).waitFor();
  await page.getByRole("link", { name: "All sessions" }).click();
  await page.getByRole("region", { name: "Sessions" }).locator("tr.row").first().waitFor();
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function sessionsAreReadOnPageByPage(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/sessions?range=7d&zone=UTC&order=operations");
  const rows = async () => Number(await page.getByRole("region", { name: "Sessions" }).locator("table").getAttribute("aria-rowcount")) - 1;
  assert.equal(await rows(), 500);
  const left = async () => Number(((await page.getByText(/more sessions are not listed/).textContent()) ?? "").replaceAll(/\D/g, ""));
  const before = await left();
  await page.getByRole("button", { name: "Show 500 more" }).click();
  await page.getByText(/The list stays as it was at/).waitFor();
  await page.waitForFunction(() => document.querySelector("table")?.getAttribute("aria-rowcount") === "1001");
  // Some sessions may have come while the second page was read.
  assert.ok(Math.abs((await left()) - (before - 500)) < 100, `${await left()} are left of ${before}`);
  const list = page.locator('.scroll[aria-label="Sessions"]');
  await list.evaluate((box) => (box.scrollTop = 34 * 495));
  await list.locator('tr[aria-rowindex="502"]').waitFor();
  const counts = await list.locator("tr.row").evaluateAll((all) => all.map((row) => Number((row.querySelectorAll("td")[3] as HTMLElement).title.replaceAll(",", ""))));
  assert.ok(counts.length > 10 && counts.every((count, at) => at === 0 || count <= (counts[at - 1] ?? 0)), "one order over both pages");
  // One of them is shown whole; the list is found again as it was left.
  const scrolled = await list.evaluate((box) => box.scrollTop);
  await list.locator('tr[aria-rowindex="502"] a').click();
  await page.getByRole("link", { name: "All sessions" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Filter", exact: true }).count(), 0, "no filter is offered where none applies");
  await page.locator(".bar").getByLabel("Time zone").waitFor();
  await page.goBack();
  await list.locator('tr[aria-rowindex="502"] a').waitFor();
  assert.equal(await rows(), 1_000);
  assert.equal(await list.evaluate((box) => box.scrollTop), scrolled);
  await page.getByRole("button", { name: "As it is now" }).click();
  assert.ok(await page.evaluate(() => document.activeElement?.matches('[role="status"]')), "the focus stays beside the list");
  await settled(page);
  assert.equal(await rows(), 500);
  // What was read behind the lines of an order is not put behind those of another, nor behind its own of a later moment.
  const order = async (name: string) => page.getByRole("columnheader", { name, exact: true }).getByRole("button").click();
  await page.getByRole("button", { name: "Show 500 more" }).click();
  await page.waitForFunction(() => document.querySelector("table")?.getAttribute("aria-rowcount") === "1001");
  await order("Cost");
  await order("Operations");
  await settled(page);
  assert.equal(await rows(), 500);
  await page.getByRole("button", { name: "Show 500 more" }).click();
  await page.getByRole("button", { name: "As it is now" }).click();
  await page.waitForTimeout(1_000);
  assert.equal(await page.getByRole("alert").count(), 0, "leaving while more are read is no failure");
  await page.getByText(/complete to .* · UTC · from files/).waitFor();
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aSessionThatIsNotThereIsSaid(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await page.goto(`${process.env.OPSTREAM_URL ?? "http://127.0.0.1:8080/"}#/sessions?range=24h&zone=UTC&session=nobody`);
  await page.getByRole("alert").waitFor();
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await context.close();
}

export async function aTraceIsGoneThroughWithArrowKeys(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/traces?range=24h&zone=UTC&order=operations");
  await page.locator("tr.row a").nth(1).click();
  const tree = page.getByRole("tree");
  await tree.getByRole("treeitem").first().waitFor();
  await tree.focus();
  await page.keyboard.press("End");
  const count = Number(await tree.getByRole("treeitem").first().getAttribute("aria-setsize"));
  assert.equal(await tree.getByRole("treeitem", { selected: true }).getAttribute("aria-posinset"), String(count));
  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByText("All fields").waitFor();
  await page.keyboard.press("Escape");
  assert.deepEqual(troubles, []);
  await context.close();
}

/** Made up here, so that every server can be asked: thousands of spans, a hostile name, a circle and an orphan. */
export async function aTraceOfThousandsIsDrawnInPart(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  const HOSTILE = '<img src=x onerror="document.title=\'owned\'">';
  const start = Date.UTC(2026, 10, 28);
  const operations = Array.from({ length: 4_000 }, (_, at) => ({
    operation_id: `01a21ff2-0bbd-74e6-9ae3-${at.toString(16).padStart(12, "0")}`, span_id: at.toString(16).padStart(16, "0"), parent_span_id: at === 0 ? undefined : at === 9 ? "f".repeat(16) : (at >> 1).toString(16).padStart(16, "0"),
    operation_type: at === 3 ? HOSTILE : "chat", model: "m", success: at % 50 !== 7, started_at: new Date(start + at * 10).toISOString(), latency_us: 5_000_000, queue_us: 100_000, ttft_us: 900_000, cost_usd: "0.01", workspace: "w",
  }));
  await page.route("**/v1/traces/*", (route) => {
    const isRest = new URL(route.request().url()).searchParams.get("after") === "the middle";
    const part = { operations: isRest ? operations.slice(2_500) : operations.slice(0, 2_500), next_after: isRest ? null : "the middle" };
    return route.fulfill({ json: { workspace: "w", complete_to: null, scanned: { files: 1, operations: 4_000, bytes: 0, milliseconds: 3 }, ...part } });
  });
  await open(page, `#/traces?range=24h&zone=UTC&trace=${"a".repeat(32)}&of=w`);
  const items = page.getByRole("treeitem");
  const drawn = await items.count();
  assert.ok(drawn > 10 && drawn < 80, `${drawn} spans are there`);
  assert.equal(await items.first().getAttribute("aria-setsize"), "4000", "both parts are read");
  await page.getByText("1 span names a parent that is not here").waitFor();
  await page.getByText("$40.00").waitFor();
  const tree = page.getByRole("tree");
  await tree.focus();
  await page.keyboard.press("ArrowLeft");
  await page.getByText(/^\+\d+, some failed$/).waitFor();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("End");
  await page.getByRole("treeitem", { selected: true }).waitFor();
  assert.equal(await page.locator('img[src="x"]').count(), 0);
  assert.notEqual(await page.title(), "owned");
  assert.deepEqual(troubles, []);
  await context.close();
}

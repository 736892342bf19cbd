// Everything can be reached and used without a pointer.
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { newContext, newPage, open, PAGES } from "./browser";

export async function theKeyboardReachesEverything(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  for (const name of PAGES) {
    const { page } = await newPage(context);
    await open(page, `#/${name}?range=24h&zone=UTC`);
    // What moves by itself would be counted twice.
    await page.getByRole("button", { name: "Live" }).click();
    const wanted = await page.evaluate(() => {
      const all = [...document.querySelectorAll<HTMLElement | SVGElement>('a[href], button, input, select, [tabindex="0"]')];
      // Of the rows of a long list, which come and go as it is scrolled, the first stands for all.
      const rows = new Set([...document.querySelectorAll("tr.row a")].slice(1));
      const seen = all.filter((element) => element.checkVisibility() && !(element as HTMLButtonElement).disabled && !rows.has(element));
      seen.forEach((element, at) => (element.dataset.reach = String(at)));
      return seen.length;
    });
    await page.evaluate(() => document.querySelector<HTMLElement>(".skip")?.focus());
    const reached = new Set<string>(["0"]);
    for (let press = 0; press < wanted + 400 && reached.size < wanted; press += 1) {
      await page.keyboard.press("Tab");
      const at = await page.evaluate(() => {
        const element = document.activeElement as HTMLElement | null;
        const style = element ? getComputedStyle(element) : undefined;
        return { reach: element?.dataset.reach, isOutlined: style?.outlineStyle !== "none" };
      });
      if (at.reach === undefined) continue;
      assert.ok(at.isOutlined, `${name}: the focus is seen`);
      reached.add(at.reach);
    }
    // The header alone has a dozen; the page of alerts has no more where there are no rules.
    assert.ok(wanted > 12, `${name}: only ${wanted} things are there`);
    assert.equal(reached.size, wanted, `${name}: of ${wanted} things ${reached.size} are reached`);
    await page.close();
  }
  await context.close();
}

export async function theFirstStopSkipsToTheNumbers(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/overview?range=1h&zone=UTC");
  const address = page.url();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
  assert.equal(page.url(), address, "the view stays");
  await context.close();
}

export async function aChartIsReadStepByStep(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/performance?range=24h&zone=UTC");
  const plot = page.getByRole("slider", { name: "Latency, step by step", exact: true });
  await plot.focus();
  await page.keyboard.press("End");
  const last = await plot.getAttribute("aria-valuetext");
  assert.match(last ?? "", /\d{2}:\d{2}, so far: p50 .*p99 /);
  assert.ok((await plot.locator("rect.cut").count()) > 0, "the last step is not over");
  // The one before it may be over without being complete yet, for a second.
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("ArrowLeft");
  const before = await plot.getAttribute("aria-valuetext");
  assert.notEqual(before, last);
  assert.match(before ?? "", /\d{2}:\d{2}: p50 /);
  await page.keyboard.press("Enter");
  await page.waitForURL(/from=.*&to=/);
  await context.close();
}

export async function escapeClosesAndGivesTheFocusBack(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/overview?range=1h&zone=UTC");
  const opener = page.getByRole("button", { name: "Filter", exact: true });
  await opener.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  assert.equal(await page.getByRole("searchbox").evaluate((box) => box === document.activeElement), true);
  await page.keyboard.press("Escape");
  assert.equal(await opener.getAttribute("aria-expanded"), "false");
  assert.equal(await opener.evaluate((button) => button === document.activeElement), true);
  await context.close();
}

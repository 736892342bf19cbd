// Every page opens without a complaint, fits the screen and can be read by everybody, in both themes.
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { barriers } from "./barriers";
import { newContext, newPage, open, PAGES, type Theme } from "./browser";

export const pagesLookGoodOnADeskInLight = (browser: Browser) => everyPage(browser, 1280, "light");
export const pagesLookGoodOnADeskInDark = (browser: Browser) => everyPage(browser, 1280, "dark");
export const pagesLookGoodOnAPhoneInLight = (browser: Browser) => everyPage(browser, 360, "light");
export const pagesLookGoodOnAPhoneInDark = (browser: Browser) => everyPage(browser, 360, "dark");

export async function whatOpensStaysOnAPhonesScreen(browser: Browser): Promise<void> {
  const context = await newContext(browser, { width: 360 });
  const { page } = await newPage(context);
  await open(page, "#/cost?range=24h&zone=UTC");
  const openers = [page.locator(".narrow .dropdown > button"), ...(await page.locator(".bar .dropdown > button").all()), page.getByRole("button", { name: "Menu of Cost over time" })];
  assert.ok(openers.length > 4);
  for (const opener of openers) {
    await opener.click();
    const content = page.locator(".dropdown > .content");
    await content.waitFor();
    await page.waitForFunction(() => {
      const box = document.querySelector(".dropdown > .content")?.getBoundingClientRect();
      return box !== undefined && box.left >= 0 && box.right <= window.innerWidth;
    });
    await page.keyboard.press("Escape");
    await content.waitFor({ state: "detached" });
  }
  await context.close();
}

async function everyPage(browser: Browser, width: number, theme: Theme): Promise<void> {
  const context = await newContext(browser, { width, theme });
  for (const name of PAGES) {
    const { page, troubles } = await newPage(context);
    // A filter and the comparison add colours that are nowhere else.
    await open(page, `#/${name}?range=24h&zone=UTC&environment=production&compare=previous`);
    assert.deepEqual(troubles, [], name);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert.ok(overflow <= 0, `${name} is ${overflow} px wider than the screen`);
    assert.deepEqual(await barriers(page), [], name);
    await page.close();
  }
  await context.close();
}

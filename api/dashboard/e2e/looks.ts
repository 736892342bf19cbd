// Every page opens without a complaint, fits the screen and can be read by everybody, in both themes.
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { barriers } from "./barriers";
import { newContext, newPage, open, pagesHere, type Theme } from "./browser";

export const pagesLookGoodOnADeskInLight = (browser: Browser) => everyPage(browser, 1280, "light");
export const pagesLookGoodOnADeskInDark = (browser: Browser) => everyPage(browser, 1280, "dark");
export const pagesLookGoodOnAPhoneInLight = (browser: Browser) => everyPage(browser, 360, "light");
export const pagesLookGoodOnAPhoneInDark = (browser: Browser) => everyPage(browser, 360, "dark");

async function everyPage(browser: Browser, width: number, theme: Theme): Promise<void> {
  const context = await newContext(browser, { width, theme });
  for (const name of await pagesHere()) {
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

// Pictures of every page, in both themes, on a desk and on a phone: npm run screenshots -- FOLDER [RANGE]
import { mkdir } from "node:fs/promises";
import { launch, newContext, newPage, open, PAGES, type Theme } from "./browser";

const [folder = "screenshots", range = "7d"] = process.argv.slice(2);
const looks: [string, number, Theme][] = [["desk", 1280, "light"], ["desk", 1280, "dark"], ["phone", 360, "light"], ["phone", 360, "dark"]];

await mkdir(folder, { recursive: true });
const browser = await launch();
for (const [device, width, theme] of looks) {
  const context = await newContext(browser, { width, theme });
  const { page, troubles } = await newPage(context);
  for (const name of PAGES) {
    await open(page, `#/${name}?range=${range}&zone=Europe/Berlin`);
    await page.screenshot({ path: `${folder}/${name}-${device}-${theme}.png`, fullPage: true });
  }
  await context.close();
  for (const trouble of troubles) console.log(`${device}, ${theme}: ${trouble}`);
}
await browser.close();

// How long the first look takes, from the address to the first numbers and to all of them: npm run paint -- [TIMES] [RANGE] [json]
// Each time in a browser that remembers nothing.
import { ADDRESS, launch, newContext, settled } from "./browser";

declare global {
  interface Window {
    firstNumbers?: number;
  }
}

const [times = "20", range = "30d", format = "text"] = process.argv.slice(2);
const browser = await launch();

async function look(name: string): Promise<[first: number, all: number]> {
  const context = await newContext(browser);
  const page = await context.newPage();
  await page.addInitScript(() => {
    // It looks when something has changed: frames that are only asked for to look would be part of what is measured.
    const observer = new MutationObserver(() => {
      const panel = document.querySelector(".kpi")?.closest(".card");
      if (!panel || panel.matches('[aria-busy="true"]') || panel.querySelector('[aria-busy="true"]')) return;
      observer.disconnect();
      // The frame that is drawn next shows it; a task behind that frame comes when it is drawn.
      requestAnimationFrame(() => setTimeout(() => (window.firstNumbers = performance.now())));
    });
    observer.observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["aria-busy"] });
  });
  await page.goto(`${ADDRESS}#/${name}?range=${range}&zone=UTC`);
  await settled(page);
  const all = await page.evaluate(() => performance.now());
  const first = await page.evaluate(() => window.firstNumbers ?? Number.NaN);
  await context.close();
  return [first, all];
}

const median = (of: number[]): number => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? Number.NaN;
for (const name of ["overview", "performance", "cost"]) {
  const looks: [number, number][] = [];
  for (let time = 0; time < Number(times); time += 1) looks.push(await look(name));
  const [first, all] = [looks.map(([first]) => first), looks.map(([, all]) => all)];
  if (format === "json") {
    console.log(JSON.stringify({ page: name, first, all }));
    continue;
  }
  const said = (of: number[]): string => `${Math.round(median(of))} ms at the median, ${Math.round(Math.max(...of))} ms at most`;
  console.log(`${name}: first numbers ${said(first)}; all panels ${said(all)}; ${times} times`);
}
await browser.close();

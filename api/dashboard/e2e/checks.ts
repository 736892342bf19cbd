// Checks of the dashboard in a browser: OPSTREAM_URL=http://127.0.0.1:8080 npm run e2e. It needs a running opstream with some operations
// of the last day, as `opstream up --demo` makes them, and Chromium, at /usr/bin/chromium or where CHROMIUM says.
import type { Browser } from "playwright-core";
import { launch } from "./browser";
import * as alerts from "./alerts";
import * as dashboards from "./dashboards";
import * as files from "./files";
import * as filters from "./filters";
import * as keyboard from "./keyboard";
import * as links from "./links";
import * as live from "./live";
import * as looks from "./looks";
import * as money from "./money";
import * as operations from "./operations";
import * as panels from "./panels";
import * as size from "./size";
import * as sql from "./sql";
import * as pipeline from "./pipeline";
import * as states from "./states";
import * as traces from "./traces";

const checks: [string, (browser: Browser) => Promise<void>][] = [looks, links, filters, panels, money, operations, states, traces, live, sql, pipeline, alerts, files, dashboards, keyboard, size].flatMap((file) => Object.entries(file));
const wanted = process.argv[2] ?? "";
const browser = await launch();
let failed = 0;
for (const [name, check] of checks.filter(([name]) => name.includes(wanted))) {
  const begun = Date.now();
  const said = name.replaceAll(/([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`);
  try {
    await check(browser);
    console.log(`ok      ${said} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${said}\n        ${error instanceof Error ? (error.stack ?? error.message).replaceAll("\n", "\n        ") : String(error)}`);
  }
}
await browser.close();
console.log(failed === 0 ? "all checks passed" : `${failed} checks failed`);
process.exit(failed === 0 ? 0 : 1);

// A Chromium in front of a running opstream, with everything that it complains about.
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

export type Theme = "light" | "dark";

export const ADDRESS = (process.env.OPSTREAM_URL ?? "http://127.0.0.1:8080").replace(/\/?$/, "/");
/** The pages of the navigation. */
export const PAGES = ["overview", "performance", "cost", "tokens", "agents", "operations", "sessions", "traces", "live", "dashboards", "sql", "pipeline", "alerts"];

export function launch(): Promise<Browser> {
  // As root, as in containers, Chromium has no sandbox.
  const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args });
}

export interface Look {
  width?: number;
  height?: number;
  theme?: Theme;
  timezone?: string;
}

export async function newContext(browser: Browser, { width = 1280, height = 900, theme = "light", timezone = "Europe/Berlin" }: Look = {}): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme, timezoneId: timezone, acceptDownloads: true });
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  return context;
}

/** A page, and what went wrong in it: errors of scripts and the console, violations of the content security policy, lost requests. */
export async function newPage(context: BrowserContext): Promise<{ page: Page; troubles: string[] }> {
  const page = await context.newPage();
  const troubles: string[] = [];
  page.on("pageerror", (error) => troubles.push(`script: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") troubles.push(`console: ${message.text()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) troubles.push(`${response.status()} for ${response.url()}`);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  return { page, troubles };
}

/** Opens an address behind # and waits until every panel has its numbers. */
export async function open(page: Page, hash: string): Promise<void> {
  await page.goto(`${ADDRESS}${hash}`);
  await settled(page);
}

export async function settled(page: Page): Promise<void> {
  await page.locator("main .card").first().waitFor();
  // A panel is busy until it has an answer to the present question.
  await page.waitForFunction(() => document.querySelectorAll('[aria-busy="true"]').length === 0, undefined, { timeout: 40_000 });
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

// The pictures of docs/dashboard.md, from a running demo: npm run pictures -- FOLDER [RANGE [NAME]]
import { mkdir } from "node:fs/promises";
import type { Page } from "playwright-core";
import { ADDRESS, launch, newContext, newPage, open, PAGES, settled, type Look } from "./browser";

const [folder = "pictures", range = "24h", only = ""] = process.argv.slice(2);
/** What is further down says nothing new. */
const MOST_HEIGHT = 1500;
const NAME = "Support at a glance";

async function json(path: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${ADDRESS}v1/${path}`, body && { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

/** A dashboard such as a team makes, the one of this name if it is there already. */
async function dashboardId(): Promise<string> {
  const { views } = (await json("views?kind=dashboard")) as { views: { view_id: string; name: string }[] };
  const panel = (title: string, chart: string, measures: string[], more: object = {}) => ({ title, chart, measures, ...more });
  const panels = [
    panel("Spend", "number", ["cost_usd"]),
    panel("Answers that failed", "number", ["failure_rate"]),
    panel("Slowest of twenty", "number", ["latency_p95_us"]),
    panel("Spend by team", "bars", ["cost_usd"], { by: ["team"], resolution: "auto", width: 2 }),
    panel("Models", "ranking", ["cost_usd"], { by: ["model"], limit: 6 }),
    panel("First token", "distribution", ["ttft"]),
    panel("Latency", "lines", ["latency_p50_us", "latency_p95_us"], { resolution: "auto", width: 2 }),
    panel("Agents", "table", ["operations", "failure_rate", "latency_p95_us", "cost_usd"], { by: ["agent_id", "action_id"], limit: 10, width: 3 }),
  ];
  const known = views.find((view) => view.name === NAME)?.view_id;
  return known ?? String((await json("views", { kind: "dashboard", name: NAME, description: "", definition: { address: `range=${range}`, panels } })).view_id);
}

/** The address of the most interesting session or trace: the one with the most operations. */
async function longest(kind: "sessions" | "traces", id: "session_id" | "trace_id"): Promise<string> {
  const answer = await json(`${kind}?order=operations&limit=1`);
  const [line] = answer[kind] as Record<string, string>[];
  return `#/${kind}?range=${range}&zone=UTC&${id.replace("_id", "")}=${encodeURIComponent(line?.[id] ?? "")}&of=${encodeURIComponent(line?.workspace ?? "")}`;
}

await mkdir(folder, { recursive: true });
const browser = await launch();
const trouble: string[] = [];

async function take(name: string, hash: string, look: Look = {}, prepare?: (page: Page) => Promise<void>): Promise<void> {
  if (only !== "" && name !== only) return;
  const context = await newContext(browser, { width: 1280, height: 800, timezone: "UTC", ...look });
  const { page, troubles } = await newPage(context);
  await open(page, hash);
  await prepare?.(page);
  await settled(page);
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width: look.width ?? 1280, height: Math.min(height, MOST_HEIGHT) });
  await settled(page);
  await page.screenshot({ path: `${folder}/${name}.png` });
  trouble.push(...troubles.map((what) => `${name}: ${what}`));
  await context.close();
}

const of = (page: string): string => `#/${page}?range=${range}&zone=UTC`;
const board = await dashboardId();
for (const page of PAGES) {
  await take(page, of(page), {}, async (shown) => {
    if (page === "live") await shown.waitForTimeout(12_000);
    if (page === "sql") await shown.locator(".examples button").first().click();
  });
}
await take("dashboard", `#/dashboard/${board}?range=${range}&zone=UTC`);
await take("session", await longest("sessions", "session_id"));
await take("trace", await longest("traces", "trace_id"));
await take("operation", of("operations"), {}, async (page) => {
  await page.locator("tr.row a, .row a").first().click();
  await page.getByRole("dialog").getByText("All fields").waitFor();
});
await take("overview-dark", of("overview"), { theme: "dark" });
await take("overview-phone", of("overview"), { width: 360 });
for (const what of trouble) console.log(what);
await browser.close();
process.exitCode = trouble.length === 0 ? 0 : 1;

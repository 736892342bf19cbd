// Budgets, alerts that come while the page is looked at, and how rules begin.
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { ADDRESS, newContext, newPage, open } from "./browser";

const MONTH = { kind: "budget", amount_usd: "100000", period: "month", zone: "America/New_York", thresholds: [50, 100] };
const REACHED = { kind: "budget", amount_usd: "0.000001", rolling: "24h" };

async function api(method: string, path: string, body?: unknown): Promise<unknown> {
  const response = await fetch(new URL(path, ADDRESS), { method, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }) });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.status === 204 ? undefined : response.json();
}

export async function whatIsSpentOfABudgetIsWhatTheApiSays(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  const name = `e2e-month-${process.pid}`;
  const spent = async () => {
    const answer = (await api("GET", "v1/query?measures=cost_usd&range=this_month&zone=America/New_York")) as { groups: { totals: { cost_usd: string } }[] };
    return Number(answer.groups[0]?.totals.cost_usd);
  };
  await api("PUT", `v1/alert-rules/${name}`, MONTH);
  try {
    const before = await spent();
    await open(page, "#/alerts?range=1h&zone=UTC");
    const budget = page.locator(".budgets > li", { hasText: name });
    const shown = Number(((await budget.locator("[title]").first().getAttribute("title")) ?? "").replace(/, without.*/, "").replaceAll(/[$,]/g, ""));
    const after = await spent();
    assert.ok(before > 0 && before <= shown && shown <= after, `${before} <= ${shown} <= ${after}`);
    await budget.getByText("of $100 k").waitFor();
    await budget.getByText(/, \d+.(d|h|min|s)( \d+.(h|min|s))? left/).waitFor();
    await page.getByText("$100 k a month (America/New_York), told at 50, 100 %").waitFor();
    assert.equal(await page.getByRole("button", { name: "Compare" }).count(), 0, "there is no period here that could be compared");
    await page.getByLabel("Time zone").selectOption("Asia/Kolkata");
    await page.getByText("Asia/Kolkata · from the database").first().waitFor();
    assert.deepEqual(troubles, []);
  } finally {
    await api("DELETE", `v1/alert-rules/${name}`);
  }
  await context.close();
}

export async function anAlertComesWithoutLoadingThePageAgain(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  const name = `e2e-reached-${process.pid}`;
  await open(page, "#/alerts?range=15m&zone=UTC");
  const row = page.getByRole("region", { name: "Open alerts" }).locator("tr", { hasText: name });
  assert.equal(await row.count(), 0);
  await api("PUT", `v1/alert-rules/${name}`, REACHED);
  try {
    await row.first().waitFor({ timeout: 60_000 });
    assert.match((await row.first().textContent()) ?? "", /budget.*\$0\.000001 · 100 %.*everything/);
    await page.locator(".budgets > li", { hasText: name }).locator(".over").first().waitFor();
    assert.deepEqual(troubles, []);
  } finally {
    await api("DELETE", `v1/alert-rules/${name}`);
  }
  await page.getByRole("region", { name: "Alerts that are over" }).locator("tr", { hasText: name }).filter({ hasText: "the rule was changed or deleted" }).first().waitFor({ timeout: 60_000 });
  await context.close();
}

export async function withoutRulesThereIsABeginning(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await page.route("**/v1/alert-rules*", (route) => route.fulfill({ json: { rules: [] } }));
  await open(page, "#/alerts?range=1h&zone=UTC");
  await page.getByText("Nothing is watched yet").waitFor();
  await page.getByRole("button", { name: "Copy", exact: true }).click();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /^\[\[rule\]\]\nname = /);
  assert.deepEqual(troubles, []);
  await context.close();
}

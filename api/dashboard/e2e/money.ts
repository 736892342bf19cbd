// Amounts say what is not in them.
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { newContext, newPage, open } from "./browser";

interface Wire {
  groups: { totals: Record<string, unknown> }[];
}

/** Takes the price from groups of every answer, as operations of an unknown model have none. */
async function withoutPrices(page: Page, isMeant: (at: number) => boolean): Promise<void> {
  await page.route("**/v1/query?*", async (route) => {
    const response = await route.fetch();
    const answer = (await response.json()) as Wire;
    for (const { totals } of answer.groups.filter((_, at) => isMeant(at))) {
      if ("unpriced" in totals && "cost_usd" in totals) Object.assign(totals, { unpriced: totals.operations, cost_usd: "0.00" });
    }
    await route.fulfill({ response, json: answer });
  });
}

export async function whatHasNoPriceIsNotFree(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await withoutPrices(page, (at) => at === 0);
  await open(page, "#/cost?range=24h&zone=UTC");
  const first = page.locator('section[aria-labelledby="panel-teams"] button.row').first();
  assert.equal((await first.locator(".number").textContent())?.trim(), "unpriced");
  assert.match((await first.getAttribute("title")) ?? "", /: not known, of [\d,]+ unpriced operations?$/);
  const kpi = page.locator(".kpi", { has: page.getByRole("heading", { name: "Cost", exact: true }) }).locator(".value");
  assert.equal(await kpi.textContent(), "unpriced");
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function whatCostsNothingIsStillThere(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await withoutPrices(page, () => true);
  await open(page, "#/cost?range=24h&zone=UTC");
  const teams = page.locator('section[aria-labelledby="panel-teams"]');
  assert.equal(await teams.locator(".empty").textContent(), "These operations cost nothing that is known.");
  assert.equal(await page.locator(".panel:has(.empty) .note", { hasText: "not shown by name" }).count(), 0);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function anUnknownCostNamesTheWayOut(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  // As one without tokens and without cost, whichever the newest is: with tokens it would have a table of its parts.
  await page.route(/\/v1\/operations\/[0-9a-f-]{36}$/, async (route) => {
    const response = await route.fetch();
    const whole = (await response.json()) as Record<string, unknown>;
    const others = Object.entries(whole).filter(([name]) => !/cost|price|tokens/.test(name));
    await route.fulfill({ response, json: { ...Object.fromEntries(others), cost_status: "unpriced" } });
  });
  await open(page, "#/operations?range=24h&zone=UTC");
  await page.locator("tr.row a").first().click();
  const dialog = page.getByRole("dialog");
  await dialog.getByText("The cost is not known.").waitFor();
  const id = /operation=([0-9a-f-]{36})/.exec(page.url())?.[1];
  assert.equal(await dialog.locator("code").first().textContent(), `opstream price explain --operation-id ${id}`);
  assert.deepEqual(troubles, []);
  await context.close();
}

// What is looked at stands in the address, and the address shows the same to everybody.
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { newContext, newPage, open, settled } from "./browser";

/** The last whole hours: their numbers do not change any more. */
function pastHours(): string {
  const to = Math.floor(Date.now() / 3_600_000) * 3_600_000 - 3_600_000;
  const text = (moment: number) => `${new Date(moment).toISOString().slice(0, 16)}Z`;
  return `from=${text(to - 6 * 3_600_000)}&to=${text(to)}`;
}

const numbersOf = (page: Page) => page.locator(".kpi .value").allTextContents();

export async function aLinkShowsTheSameElsewhere(browser: Browser): Promise<void> {
  const first = await newContext(browser, { timezone: "Asia/Kolkata" });
  const { page, troubles } = await newPage(first);
  await open(page, `#/cost?${pastHours()}&environment=production`);
  await page.getByLabel("Split by").selectOption("team");
  await settled(page);
  const address = page.url();
  // Browsers may still call it by its old name.
  assert.match(address, /zone=Asia\/(Kolkata|Calcutta)/, "the zone that was chosen by itself is in the address");
  assert.match(address, /split=team/);
  const numbers = await numbersOf(page);
  assert.notDeepEqual(numbers, []);

  const second = await newContext(browser, { timezone: "America/New_York", theme: "dark" });
  const other = await newPage(second);
  await other.page.goto(address);
  await settled(other.page);
  assert.equal(other.page.url(), address);
  assert.deepEqual(await numbersOf(other.page), numbers);
  assert.equal(await other.page.locator(".bar strong").first().textContent(), await page.locator(".bar strong").first().textContent());
  assert.deepEqual([...troubles, ...other.troubles], []);
  await first.close();
  await second.close();
}

export async function stepsOfChartsCanBeChosen(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/cost?range=7d&zone=UTC");
  const last = () => page.getByRole("slider", { name: "Cost over time" }).getAttribute("aria-valuemax").then(Number);
  assert.ok((await last()) >= 160, "hours of a week");
  await page.locator(".bar button", { hasText: "Last 7 days" }).click();
  const steps = page.getByLabel("Steps");
  assert.deepEqual(await steps.locator("option").allTextContents(), ["automatic (hours)", "quarters of an hour", "hours", "days"]);
  await steps.selectOption("day");
  await settled(page);
  await page.waitForURL(/step=day/);
  assert.ok([6, 7].includes(await last()), `${await last()} days`);
  await page.reload();
  await settled(page);
  assert.ok([6, 7].includes(await last()), "the address remembers it");
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aClickOnABarFiltersEverything(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/cost?range=24h&zone=UTC");
  const before = await numbersOf(page);
  const bar = page.locator('section[aria-labelledby="panel-teams"] button.row').nth(1);
  const name = await bar.locator("bdi").first().textContent();
  await bar.click();
  await settled(page);
  assert.equal(new URL(page.url().replace("#/", "")).searchParams.get("team"), name);
  assert.notDeepEqual(await numbersOf(page), before);
  const chip = page.locator(".chip", { hasText: name ?? "" });
  assert.equal(await chip.count(), 1);
  await page.goBack();
  await settled(page);
  // The way back leads to the view before.
  await page.waitForURL((url) => !/team=/.test(url.href));
  assert.equal(await chip.count(), 0);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aLegendAndARowFilterToo(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/cost?range=24h&zone=UTC&split=provider");
  await page.locator('section[aria-labelledby="panel-cost-over-time"] .legend button').first().click();
  await settled(page);
  await page.waitForURL(/provider=/);
  await page.locator('section[aria-labelledby="panel-per-operation-and-per-token"] td button').nth(1).click();
  await settled(page);
  await page.waitForURL(/model=/);
  await page.getByRole("button", { name: "Clear all" }).click();
  await page.waitForURL((url) => !/provider=|model=/.test(url.href));
  await context.close();
}

export async function aBarOfAChartFiltersToo(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/cost?range=24h&zone=UTC&split=provider");
  const plot = page.getByRole("slider", { name: "Cost over time, step by step" });
  const box = await plot.boundingBox();
  assert.ok(box);
  // Just above the axis, from the newest step on: somewhere operations cost something.
  const isFiltered = () => page.evaluate(() => location.hash.includes("provider="));
  for (let x = box.width - 12; x > 60 && !(await isFiltered()); x -= 9) await page.mouse.click(box.x + x, box.y + box.height - 26);
  await page.waitForURL(/&provider=/);
  await context.close();
}

export async function aLineOfAChartFiltersToo(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/cost?range=24h&zone=UTC&split=provider");
  const plot = page.getByRole("slider", { name: "Cost per operation, step by step" });
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  assert.ok(box);
  // Down through a step until the pointer says that something is to be chosen.
  const isChoosable = () => plot.evaluate((element) => getComputedStyle(element).cursor === "pointer");
  let [x, y] = [box.width - 40, 8];
  for (; x > 60; x -= 30) {
    for (y = 8; y < box.height - 24; y += 6) {
      await page.mouse.move(box.x + x, box.y + y);
      if (await isChoosable()) break;
    }
    if (await isChoosable()) break;
  }
  await page.mouse.down();
  await page.mouse.up();
  await page.waitForURL(/&provider=/);
  await context.close();
}

export async function filtersAreFoundByTyping(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/overview?range=24h&zone=UTC");
  await page.getByRole("button", { name: "Filter", exact: true }).click();
  await page.getByRole("button", { name: "Provider", exact: true }).click();
  const search = page.getByRole("searchbox");
  await search.fill("OPENA");
  await page.locator(".values .choice", { hasText: "openai" }).first().click();
  await search.fill("nobody");
  await page.getByRole("button", { name: "Exactly" }).click();
  await page.waitForURL(/provider=openai&provider=nobody/);
  await context.close();
}

export async function rangesAreChosenByNameAndByLocalTime(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/overview?range=24h&zone=Asia/Kolkata");
  const picker = page.locator(".bar .dropdown > button").first();
  await picker.click();
  await page.getByRole("button", { name: "This month" }).click();
  await page.waitForURL(/range=this_month/);
  await picker.click();
  const [from, to] = [page.getByLabel("From"), page.getByLabel("To, not included")];
  await from.fill("2026-11-02T10:00");
  await to.fill("2026-11-02T09:00");
  await page.getByRole("button", { name: "Show this range" }).click();
  assert.equal(await page.getByRole("alert").textContent(), "The beginning must be before the end.");
  await to.fill("2026-11-03T09:30");
  await page.getByRole("button", { name: "Show this range" }).click();
  // Kolkata is 5:30 ahead.
  await page.waitForURL(/from=2026-11-02T04:30Z&to=2026-11-03T04:00Z/);
  await context.close();
}

export async function draggingLooksMoreClosely(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page } = await newPage(context);
  await open(page, "#/performance?range=24h&zone=UTC");
  const plot = page.getByRole("slider").first();
  const box = await plot.boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + box.width * 0.4, box.y + 80);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.6, box.y + 80, { steps: 4 });
  await page.keyboard.press("Escape");
  await page.mouse.up();
  await page.locator(".dragged").waitFor({ state: "detached" });
  assert.match(await page.evaluate(() => location.hash), /range=24h/, "Escape let go of what was dragged");
  await page.mouse.move(box.x + box.width * 0.4, box.y + 80);
  await page.mouse.down();
  // A hand does not stop at the edge.
  await page.mouse.move(box.x + box.width + 20, box.y + box.height + 40, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/from=.*&to=/);
  await context.close();
}

export async function aLinkThatCannotBeShownSaysSo(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/overview?from=2026-11-28T10:00Z&to=2026-11-28T09:00Z&zone=Mars/Phobos");
  const notice = page.getByText("The address asks for from=2026-11-28T10:00Z to=2026-11-28T09:00Z zone=Mars/Phobos, which cannot be shown; shown: Last 24 hours,");
  await notice.waitFor();
  await page.getByRole("button", { name: /^Range of time/ }).click();
  await page.getByRole("button", { name: "6 h", exact: true }).click();
  await notice.waitFor({ state: "detached" });
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function timesThatWereTypedOutliveAnotherZone(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  await open(page, "#/overview?range=24h&zone=UTC");
  await page.getByRole("button", { name: /^Range of time/ }).click();
  await page.getByLabel("From", { exact: true }).fill("2026-11-02T03:00");
  await page.getByLabel("To, not included").fill("2026-11-02T12:00");
  await page.locator("form").getByLabel("Time zone").last().selectOption("Asia/Kolkata");
  await page.getByRole("button", { name: "Show this range" }).click();
  await page.waitForURL(/from=2026-11-01T21:30Z&to=2026-11-02T06:30Z&zone=Asia\/Kolkata/);
  assert.deepEqual(troubles, []);
  await context.close();
}

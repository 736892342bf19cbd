// The first page: totals, cost and latency over time, models and the latest operations, asked for again and again while
// somebody looks. Each part is asked for and shown by itself: one that is not answered leaves the others alone.
import "uplot/dist/uPlot.min.css";
import "./style.css";

import { ask, hasToken, serverNow, TokenNeeded, type Breakdown, type LatencyGroups, type LatencySteps, type Operation, type Percentiles, type Series, type Totals } from "./api";
import type { Card } from "./card";
import { CostChart, LatencyChart } from "./charts";
import { openDetails } from "./details";
import { byId, element } from "./element";
import { Elsewhere } from "./elsewhere";
import { freshness, type Mood } from "./freshness";
import { Models } from "./models";
import { Operations } from "./operations";
import { readPlace, writePlace, type Place } from "./place";
import { ALL_TIME, RANGES, rfc3339, startOf } from "./range";
import { Tiles } from "./tiles";
import { tokenForm } from "./token";
import { welcome } from "./welcome";
import { Workspaces } from "./workspaces";

const tiles = new Tiles();
const cost = new CostChart();
const latency = new LatencyChart();
const models = new Models();
const operations = new Operations((id) => void openDetails(id));
const workspaces = new Workspaces((workspace) => goTo({ ...place, workspace }));
const cards = [tiles, cost, latency, models, operations].map((part) => part.card.root);
const elsewhere = new Elsewhere(() => goTo({ ...place, range: ALL_TIME }));
const board = element("div", { id: "board" }, elsewhere.root, element("div", { class: "board" }, ...cards));

let place: Place = readPlace();
let timer: ReturnType<typeof setTimeout> | undefined;
/** Counts refreshes: an answer that was overtaken by a newer question is dropped. */
let turn = 0;

async function refresh(): Promise<void> {
  clearTimeout(timer);
  const mine = ++turn;
  try {
    await load(mine);
  } catch (error) {
    if (mine !== turn) return;
    if (error instanceof TokenNeeded) {
      tell(hasToken() ? "the server refused this token" : "", "trouble");
      return show(tokenForm(() => void refresh()));
    }
    tell(`${reasonOf(error)}; trying again`, "trouble");
  }
  if (mine === turn && !document.hidden) timer = setTimeout(() => void refresh(), place.range.refreshMs);
}

/** Fails only with what concerns the page as a whole: a token is needed, or not even the totals are answered. */
async function load(mine: number): Promise<void> {
  const { range, workspace } = place;
  const now = serverNow();
  const start = startOf(range, now);
  const from = rfc3339(start);
  const filter: Record<string, string> = workspace ? { workspace } : {};
  // All time has no beginning, except where steps are asked for.
  const within: Record<string, string> = range.minutes === undefined ? {} : { from };
  const steps = { from, resolution: range.resolution, ...filter };

  const part = async <Answer>(card: Card, question: Promise<Answer>, draw: (answer: Answer) => void) => {
    try {
      const answer = await question;
      if (mine !== turn) return;
      draw(answer);
      card.fail("");
    } catch (error) {
      if (error instanceof TokenNeeded) throw error;
      if (mine === turn) card.fail(reasonOf(error));
    }
  };
  const totals = ask<Totals>("/v1/totals", { ...within, ...filter });
  const whole = ask<{ latency: Percentiles }>("/v1/percentiles", { ...within, ...filter });
  const costs = ask<Series>("/v1/series", steps);
  const latencies = ask<LatencySteps>("/v1/percentiles", steps);
  const byModel = { ...within, by: "provider,model", ...filter };
  const rows = ask<Breakdown>("/v1/breakdown", { ...byModel, limit: "8" });
  const p95 = optional(ask<LatencyGroups>("/v1/percentiles", byModel));
  const latest = ask<{ operations: Operation[] }>("/v1/operations", { limit: "30", ...filter });
  const names = optional(ask<Breakdown>("/v1/breakdown", { ...within, by: "workspace", order: "operations", limit: "500" }));
  const parts = Promise.all([
    part(tiles.card, Promise.all([totals, whole]), ([sums, { latency: all }]) => tiles.show(sums, all)),
    part(cost.card, costs, (answer) => cost.show(range, start, now, answer)),
    part(latency.card, latencies, (answer) => latency.show(range, start, now, answer)),
    part(models.card, Promise.all([rows, p95]), ([answer, groups]) => models.show(answer, groups)),
    part(operations.card, latest, (answer) => operations.show(range, now, answer.operations)),
    names.then((answer) => answer && mine === turn && workspaces.show(answer, workspace)),
  ]);
  // Waited for last; until then nobody would hear of its failure.
  parts.catch(() => undefined);

  const [sums, newest] = await Promise.all([totals, latest.catch(() => undefined)]);
  if (mine !== turn) return;
  const { text, mood } = freshness(sums.complete_to, sums.operations, serverNow());
  tell(text, mood);
  const isEmpty = sums.operations === 0 && newest?.operations.length === 0 && !workspace;
  const isElsewhere = sums.operations === 0 && range !== ALL_TIME;
  const all = isElsewhere ? await optional(ask<Totals>("/v1/totals", filter)) : undefined;
  if (mine !== turn) return;
  elsewhere.show(all?.operations ?? 0);
  show(isEmpty ? welcome() : board);
  await parts;
}

/** An answer that the page can do without. */
function optional<Answer>(question: Promise<Answer>): Promise<Answer | undefined> {
  return question.catch((error: unknown) => {
    if (error instanceof TokenNeeded) throw error;
    return undefined;
  });
}

function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") return "no answer in time";
  return error instanceof Error ? error.message : "no answer";
}

/** Puts a view on the page unless one like it is there: typing in a form must survive a refresh. */
function show(view: HTMLElement): void {
  const main = byId("main");
  if (main.firstElementChild?.id !== view.id) main.replaceChildren(view);
}

function tell(text: string, mood: Mood): void {
  const status = byId("status");
  status.className = mood;
  if (status.textContent !== text) status.textContent = text;
}

function goTo(next: Place): void {
  place = next;
  writePlace(place);
  showRanges();
  void refresh();
}

function showRanges(): void {
  byId("ranges").replaceChildren(
    ...RANGES.map((range) => {
      const button = element("button", { type: "button", "aria-pressed": String(range === place.range) }, range.label);
      button.addEventListener("click", () => goTo({ ...place, range }));
      return button;
    }),
  );
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void refresh();
});
window.addEventListener("hashchange", () => goTo(readPlace()));
byId("workspaces").append(workspaces.root);
showRanges();
void refresh();

// The first page: totals, cost and latency over time, models and the latest operations, asked for again and again while
// somebody looks.
import "uplot/dist/uPlot.min.css";
import "./style.css";

import { ask, hasToken, TokenNeeded, type BreakdownRow, type LatencySteps, type Operation, type Percentiles, type Series, type Totals } from "./api";
import { CostChart, LatencyChart } from "./charts";
import { openDetails } from "./details";
import { byId, element } from "./element";
import { time } from "./format";
import { Models } from "./models";
import { Operations } from "./operations";
import { RANGES, rfc3339, startOf, type Range } from "./range";
import { Tiles } from "./tiles";
import { tokenForm } from "./token";
import { welcome } from "./welcome";

const tiles = new Tiles();
const cost = new CostChart();
const latency = new LatencyChart();
const models = new Models();
const operations = new Operations((id) => void openDetails(id));
const board = element("div", { id: "board", class: "board" }, tiles.root, cost.root, latency.root, models.root, operations.root);
const first = RANGES[0] as Range;

let range: Range = RANGES.find((candidate) => `#${candidate.minutes}` === location.hash) ?? first;
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
    tell(`${error instanceof Error ? error.message : "no answer"}; trying again`, "trouble");
  }
  if (mine === turn && !document.hidden) timer = setTimeout(() => void refresh(), range.refreshMs);
}

async function load(mine: number): Promise<void> {
  const now = Date.now();
  const start = startOf(range, now);
  const from = rfc3339(start);
  const steps = { from, resolution: range.resolution };
  const [totals, whole, costs, latencies, byModel, latest] = await Promise.all([
    ask<Totals>("/v1/totals", { from }),
    ask<{ latency: Percentiles }>("/v1/percentiles", { from }),
    ask<Series>("/v1/series", steps),
    ask<LatencySteps>("/v1/percentiles", steps),
    ask<{ rows: BreakdownRow[] }>("/v1/breakdown", { from, by: "provider,model", limit: "8" }),
    ask<{ operations: Operation[] }>("/v1/operations", { limit: "30" }),
  ]);
  if (mine !== turn) return;
  tell(totals.complete_to ? `complete to ${time(totals.complete_to)}` : "waiting for the first windows", "calm");
  if (totals.operations === 0 && latest.operations.length === 0) return show(welcome());
  show(board);
  tiles.show(totals, whole.latency);
  cost.show(range, start, now, costs);
  latency.show(range, start, now, latencies);
  models.show(byModel.rows);
  operations.show(latest.operations);
}

/** Puts a view on the page unless one like it is there: typing in a form must survive a refresh. */
function show(view: HTMLElement): void {
  const main = byId("main");
  if (main.firstElementChild?.id !== view.id) main.replaceChildren(view);
}

function tell(text: string, mood: "calm" | "trouble"): void {
  const status = byId("status");
  status.className = mood;
  if (status.textContent !== text) status.textContent = text;
}

function showRanges(): void {
  byId("ranges").replaceChildren(
    ...RANGES.map((candidate) => {
      const button = element("button", { type: "button", "aria-pressed": String(candidate === range) }, candidate.label);
      button.addEventListener("click", () => {
        range = candidate;
        history.replaceState(null, "", `#${candidate.minutes}`);
        showRanges();
        void refresh();
      });
      return button;
    }),
  );
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void refresh();
});
showRanges();
void refresh();

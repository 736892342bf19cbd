// Cost and latency over time, drawn by uPlot on the steps of the chosen range.
import uPlot from "uplot";
import type { LatencySteps, Series } from "./api";
import { Card } from "./card";
import { element } from "./element";
import { axisDay, axisTime, dayOfStep, duration, moment, usd } from "./format";
import { stepsOf, widthSeconds, type Range } from "./range";

const HEIGHT = 220;
const DAY_SECONDS = 86_400;

type Column = (number | null)[];

/** One chart; its colours follow the page's light or dark scheme. */
class Chart {
  readonly card: Card;
  private readonly place = element("div", { class: "plot", hidden: "" });
  private readonly none = element("p", { class: "none" }, "No operations in this range.");
  private plot: uPlot | undefined;
  private columns: uPlot.AlignedData = [[]];
  private width = 60;

  constructor(
    title: string,
    private readonly series: (isByDay: boolean) => uPlot.Series[],
    private readonly format: (value: number) => string,
    /** The axis goes up to this at least. */
    private readonly leastTop: number,
  ) {
    this.card = new Card(title, this.place, this.none);
    // In the next frame: a chart that changed its size at once would be measured again and again.
    const fit = () => this.plot?.setSize({ width: Math.max(this.place.clientWidth, 200), height: HEIGHT });
    new ResizeObserver(() => requestAnimationFrame(fit)).observe(this.place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  show(range: Range, steps: number[], columns: Column[]): void {
    const width = widthSeconds(range.resolution);
    const isDrawn = this.plot !== undefined && width === this.width;
    const isEmpty = columns.every((column) => column.every((value) => value === null));
    this.columns = [steps, ...columns];
    this.width = width;
    this.place.hidden = isEmpty;
    this.none.hidden = !isEmpty;
    this.card.explain(!isEmpty && width === DAY_SECONDS ? "Days are those of UTC." : "");
    if (isDrawn) this.plot?.setData(this.columns);
    else this.draw();
  }

  private draw(): void {
    this.plot?.destroy();
    const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const isByDay = this.width === DAY_SECONDS;
    const mark = isByDay ? axisDay : axisTime;
    const times = (_: uPlot, splits: number[], __: number, ___: number, gap: number) => splits.map((split) => mark(split, gap));
    const values = (_: uPlot, splits: number[]) => splits.map((split) => this.format(split));
    const label = (_: uPlot, step: number | null) => (step === null ? "–" : isByDay ? dayOfStep(step) : moment(new Date(step * 1000).toISOString()));
    const options: uPlot.Options = {
      width: Math.max(this.place.clientWidth, 200),
      height: HEIGHT,
      series: [{ label: "from", value: label }, ...this.series(isByDay)],
      axes: [{ ...axis, values: times, size: 32, space: 75 }, { ...axis, values, size: 70 }],
      scales: {
        // Half a step more at both ends, so that the outer bars are whole.
        x: { range: (_, min, max) => [min - this.width / 2, max + this.width / 2] },
        y: { range: (_, __, max) => [0, Math.max(max > 0 ? max * 1.1 : 1, this.leastTop)] },
      },
      // Marks of days belong to the beginnings of days.
      tzDate: (seconds) => (isByDay ? uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") : new Date(seconds * 1000)),
      cursor: { drag: { x: false, y: false } },
    };
    this.plot = new uPlot(options, this.columns, this.place);
  }
}

export class CostChart {
  private readonly chart = new Chart(
    "Cost",
    () => [
      {
        label: "cost",
        stroke: colour("--accent"),
        fill: colour("--accent-soft"),
        width: 1,
        paths: uPlot.paths.bars?.({ size: [0.8, 40, 1] }) ?? null,
        points: { show: false },
        value: (_: uPlot, value: number | null) => (value === null ? "–" : usd(String(value))),
      } as uPlot.Series,
    ],
    (value) => usd(String(value)),
    0,
  );
  readonly card = this.chart.card;

  show(range: Range, start: number, nowMs: number, answer: Series): void {
    const costs = new Map((answer.series[0]?.points ?? []).map((point) => [secondsOf(point.start), Number(point.cost_usd)]));
    const steps = stepsOf(range, start, nowMs, costs.keys().next().value);
    this.chart.show(range, steps, [steps.map((step) => costs.get(step) ?? null)]);
  }
}

export class LatencyChart {
  private readonly chart = new Chart(
    "Latency",
    // Days without operations are a pause, which nothing bridges; minutes without one are not worth a gap.
    (isByDay) => [line("p50", "--calm", !isByDay), line("p95", "--accent", !isByDay), line("p99", "--warm", !isByDay)],
    (value) => duration(Math.round(value)),
    // Marks closer than a microsecond would all have the same name.
    10,
  );
  readonly card = this.chart.card;

  show(range: Range, start: number, nowMs: number, answer: LatencySteps): void {
    const found = new Map(answer.points.map((point) => [secondsOf(point.start), point.latency]));
    const steps = stepsOf(range, start, nowMs, found.keys().next().value);
    const column = (name: "p50_us" | "p95_us" | "p99_us") => steps.map((step) => found.get(step)?.[name] ?? null);
    this.chart.show(range, steps, [column("p50_us"), column("p95_us"), column("p99_us")]);
  }
}

function line(label: string, token: string, spanGaps: boolean): uPlot.Series {
  return {
    label,
    stroke: colour(token),
    width: 2,
    spanGaps,
    // A single known step has no line; dots show it, as long as they do not run together.
    points: { size: 4, show: (_, __, first, last) => last - first < 130 },
    value: (_, value) => duration(value),
  };
}

function colour(token: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(token).trim();
}

/** The first step may begin before the chart does, when the server cut it. */
function secondsOf(moment: string): number {
  return Math.floor(Date.parse(moment) / 1000);
}

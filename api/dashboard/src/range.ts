// The ranges of time that can be chosen, each with steps that a chart shows well.
import type { Resolution } from "./api";

export interface Range {
  label: string;
  /** None for all time. */
  minutes: number | undefined;
  resolution: Resolution;
  /** How often everything is asked for again. */
  refreshMs: number;
}

export const RANGES: readonly Range[] = [
  { label: "1 h", minutes: 60, resolution: "minute", refreshMs: 2_000 },
  { label: "6 h", minutes: 6 * 60, resolution: "minute", refreshMs: 3_000 },
  { label: "24 h", minutes: 24 * 60, resolution: "quarter_hour", refreshMs: 5_000 },
  { label: "7 d", minutes: 7 * 24 * 60, resolution: "hour", refreshMs: 15_000 },
  { label: "30 d", minutes: 30 * 24 * 60, resolution: "hour", refreshMs: 30_000 },
  { label: "1 y", minutes: 365 * 24 * 60, resolution: "day", refreshMs: 30_000 },
  { label: "all", minutes: undefined, resolution: "day", refreshMs: 30_000 },
];

export const ALL_TIME: Range = RANGES[RANGES.length - 1] as Range;

/** Steps need a start, and the server answers at most 10,080 of them: all time begins so many days ago. */
const FURTHEST_DAYS = 10_000;

const WIDTH_SECONDS: Record<Resolution, number> = { minute: 60, quarter_hour: 900, hour: 3600, day: 86_400 };

export function widthSeconds(resolution: Resolution): number {
  return WIDTH_SECONDS[resolution];
}

/** Start of the range in Unix seconds, on a whole step, so that no chart begins with a cut one. */
export function startOf(range: Range, nowMs: number): number {
  const width = widthSeconds(range.resolution);
  const end = Math.floor(nowMs / 1000 / width) * width + width;
  return end - (range.minutes === undefined ? FURTHEST_DAYS * 86_400 : range.minutes * 60);
}

/**
 * All steps from `start` to the present, in Unix seconds: the server leaves out those without operations. All time begins with
 * the `first` that has some.
 */
export function stepsOf(range: Range, start: number, nowMs: number, first: number | undefined): number[] {
  const width = widthSeconds(range.resolution);
  const steps = [];
  for (let step = range.minutes === undefined ? (first ?? start) : start; step * 1000 <= nowMs; step += width) steps.push(step);
  return steps;
}

export function rfc3339(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

// Where things are in a chart. Pure.
import type { Resolution } from "../time/range";
import { day, month, shortClock } from "../time/shown";
import { DAY, MINUTE, toLocal } from "../time/zone";

/** Round marks from 0 to above `most`, about `wanted` of them. */
export function ticks(most: number, wanted: number): number[] {
  if (!(most > 0)) return [0];
  const raw = most / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const width = ([1, 2, 2.5, 5, 10].find((step) => step * power >= raw) ?? 10) * power;
  const marks = [];
  // Multiplied, not added up: sums of floats would end up beside round numbers.
  for (let at = 0; at === 0 || marks[at - 1]! < most; at += 1) marks.push(Number((at * width).toPrecision(12)));
  return marks;
}

const SECOND_US = 1_000_000;
/** Above some seconds, as clocks count. */
const CLOCK_SECONDS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400];

/** Round durations from 0 to `most` microseconds, at most about `wanted` of them. */
export function durationTicks(most: number, wanted: number): number[] {
  if (most <= 20 * SECOND_US) return ticks(most, wanted).filter((mark) => mark <= most);
  const seconds = CLOCK_SECONDS.find((width) => (width * SECOND_US * wanted) >= most) ?? 86400 * Math.ceil(most / SECOND_US / 86400 / wanted);
  return Array.from({ length: Math.floor(most / (seconds * SECOND_US)) + 1 }, (_, at) => at * seconds * SECOND_US);
}

export interface TimeMark {
  /** Index of the step that it stands at. */
  step: number;
  text: string;
}

const CLOCK_WIDTHS = [1, 5, 15, 30, 60, 180, 360, 720].map((minutes) => minutes * MINUTE);

/** Marks at whole local times, at most `most` of them. */
export function timeMarks(starts: readonly number[], resolution: Resolution, zone: string, most: number): TimeMark[] {
  const isClock = resolution === "minute" || resolution === "quarter_hour" || resolution === "hour";
  const steps = isClock ? clockMarks(starts.map((start) => toLocal(start, zone)), most) : starts.map((_, step) => step);
  const every = Math.max(Math.ceil(steps.length / Math.max(most, 1)), 1);
  return steps.filter((_, at) => at % every === 0).map((step) => ({ step, text: textOf(starts[step] ?? 0, resolution, zone, isClock) }));
}

/** Whole hours or parts of them, as few as are wanted; else the beginnings of days. */
function clockMarks(locals: readonly number[], most: number): number[] {
  for (const width of CLOCK_WIDTHS) {
    const found = locals.flatMap((local, step) => (local % width === 0 ? [step] : []));
    if (found.length > 0 && found.length <= most) return found;
  }
  return firstOfDays(locals);
}

function firstOfDays(locals: readonly number[]): number[] {
  const days = locals.map((local) => Math.floor(local / DAY));
  return days.flatMap((at, step) => (step > 0 && at !== days[step - 1] ? [step] : []));
}

function textOf(start: number, resolution: Resolution, zone: string, isClock: boolean): string {
  if (resolution === "month") return month(start, zone);
  const text = isClock ? shortClock(start, zone) : "00:00";
  return text === "00:00" ? day(start, zone) : text;
}

/** An SVG path through points; a null is a gap, and a value between two gaps a dot. */
export function linePath(xs: readonly number[], ys: readonly (number | null)[]): string {
  let path = "";
  ys.forEach((y, at) => {
    if (y === null) return;
    const isAfterGap = (ys[at - 1] ?? null) === null;
    path += `${isAfterGap ? "M" : "L"}${round(xs[at] ?? 0)} ${round(y)}`;
    // A line of no length with round ends is a dot.
    if (isAfterGap && (ys[at + 1] ?? null) === null) path += `h0`;
  });
  return path;
}

export function round(value: number): number {
  return Math.round(value * 100) / 100;
}

// What a chart over time draws: where its lines, layers and marks are. Pure.
import { toHeight } from "../numbers/measures";
import type { Series } from "./series";
import { linePath, round, ticks } from "./scale";

export interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Layer {
  key: string;
  colour: string;
  path: string;
  isDashed: boolean;
}

/** The largest height that is drawn, of bars that stand on each other or of lines. */
export function highest(series: readonly Series[], isStacked: boolean): number {
  const heights = series.map(({ values }) => values.map((value) => toHeight(value) ?? 0));
  if (!isStacked) return Math.max(0, ...heights.flat());
  const sums = (heights[0] ?? []).map((_, step) => heights.reduce((sum, values) => sum + Math.max(values[step] ?? 0, 0), 0));
  return Math.max(0, ...sums);
}

/** Marks of the axis of values. */
export function levels(most: number): number[] {
  const marks = ticks(most, 4);
  return marks.length > 1 ? marks : [0, 1];
}

export function xOf(step: number, steps: number, frame: Frame): number {
  const band = (frame.width - frame.left - frame.right) / Math.max(steps, 1);
  return frame.left + (step + 0.5) * band;
}

/** The step at a distance from the left edge of the chart. */
export function stepAt(x: number, steps: number, frame: Frame): number {
  const band = (frame.width - frame.left - frame.right) / Math.max(steps, 1);
  return Math.min(Math.max(Math.floor((x - frame.left) / band), 0), Math.max(steps - 1, 0));
}

export function yOf(value: number, most: number, frame: Frame): number {
  const inner = frame.height - frame.top - frame.bottom;
  return frame.height - frame.bottom - (value / most) * inner;
}

/** The series whose bar is drawn at a height of a step; none above them all. */
export function layerAt(series: readonly Series[], step: number, y: number, most: number, frame: Frame): Series | undefined {
  let reached = 0;
  return series.find(({ values }) => {
    reached += Math.max(toHeight(values[step]) ?? 0, 0);
    return y >= yOf(reached, most, frame) && y <= frame.height - frame.bottom;
  });
}

/** A line is meant from as near as this. */
const NEAR = 14;

/** The series whose line is nearest to a height of a step; none where all are far. */
export function lineAt(series: readonly Series[], step: number, y: number, most: number, frame: Frame): Series | undefined {
  let found: Series | undefined;
  let least = NEAR;
  for (const one of series) {
    const height = toHeight(one.values[step]);
    const distance = height === null ? Number.POSITIVE_INFINITY : Math.abs(y - yOf(height, most, frame));
    if (distance <= least) [found, least] = [one, distance];
  }
  return found;
}

export function lines(series: readonly Series[], most: number, frame: Frame): Layer[] {
  return series.map(({ key, colour, values, isDashed }) => {
    const xs = values.map((_, step) => xOf(step, values.length, frame));
    const ys = values.map((value) => {
      const height = toHeight(value);
      return height === null ? null : yOf(height, most, frame);
    });
    return { key, colour, path: linePath(xs, ys), isDashed: isDashed ?? false };
  });
}

/** Each series is one path, however many bars it has: a month of hours stays light. */
export function bars(series: readonly Series[], most: number, frame: Frame): Layer[] {
  const steps = series[0]?.values.length ?? 0;
  const band = (frame.width - frame.left - frame.right) / Math.max(steps, 1);
  const width = Math.min(Math.max(band * 0.78, Math.min(band, 1)), 44);
  const reached = new Array<number>(steps).fill(0);
  return series.map(({ key, colour, values, isDashed }) => {
    let path = "";
    values.forEach((value, step) => {
      const height = Math.max(toHeight(value) ?? 0, 0);
      if (height === 0) return;
      const low = reached[step] ?? 0;
      reached[step] = low + height;
      const [top, bottom] = [yOf(low + height, most, frame), yOf(low, most, frame)];
      const x = xOf(step, steps, frame) - width / 2;
      path += `M${round(x)} ${round(bottom)}V${round(top)}h${round(width)}V${round(bottom)}z`;
    });
    return { key, colour, path, isDashed: isDashed ?? false };
  });
}

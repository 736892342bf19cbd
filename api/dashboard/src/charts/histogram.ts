// How durations are distributed, on an axis whose steps are factors. Pure.
import { round } from "./scale";
import type { Frame } from "./plot";

export interface Bin {
  from_us: number;
  to_us: number;
  count: number;
}

/** The first and the last moment of an axis that has room for all of them, whole powers of ten or parts of them. */
export function extentOf(bins: readonly Bin[]): { from: number; to: number } {
  const from = Math.max(1, Math.min(...bins.map((bin) => bin.from_us)));
  const to = Math.max(...bins.map((bin) => bin.to_us));
  return bins.length === 0 || !(to > from) ? { from: 1_000, to: 1_000_000 } : { from, to };
}

export function xAt(micros: number, extent: { from: number; to: number }, frame: Frame): number {
  const share = Math.log(Math.max(micros, extent.from) / extent.from) / Math.log(extent.to / extent.from);
  return frame.left + Math.min(Math.max(share, 0), 1) * (frame.width - frame.left - frame.right);
}

/** The duration at a distance from the left edge. */
export function microsAt(x: number, extent: { from: number; to: number }, frame: Frame): number {
  const share = Math.min(Math.max((x - frame.left) / (frame.width - frame.left - frame.right), 0), 1);
  return extent.from * (extent.to / extent.from) ** share;
}

const STEPS = [1, 2, 5];

/** Round durations of the axis, at most `most` of them. */
export function factorMarks(extent: { from: number; to: number }, most: number): number[] {
  const all = [];
  for (let power = 1; power <= extent.to; power *= 10) for (const step of STEPS) all.push(step * power);
  const marks = all.filter((mark) => mark >= extent.from && mark <= extent.to);
  if (marks.length <= most) return marks;
  const tens = marks.filter((mark) => Number.isInteger(Math.log10(mark)));
  return tens.length >= 2 ? tens.filter((_, at) => at % Math.ceil(tens.length / most) === 0) : marks.filter((_, at) => at % Math.ceil(marks.length / most) === 0);
}

/** Height of each bin: its share of all, by the width that it has on the axis, so that wide ones do not look like many. */
export function densities(bins: readonly Bin[], count: number): number[] {
  return bins.map((bin) => {
    const width = Math.log10(Math.max(bin.to_us, 1) / Math.max(bin.from_us, 1));
    return count === 0 || width <= 0 ? 0 : bin.count / count / width;
  });
}

/** Boxes beside each other as one path. */
export function boxes(bins: readonly Bin[], heights: readonly number[], most: number, extent: { from: number; to: number }, frame: Frame): string {
  const bottom = frame.height - frame.bottom;
  return bins
    .map((bin, at) => {
      const [left, right] = [xAt(bin.from_us, extent, frame), xAt(bin.to_us + 1, extent, frame)];
      const top = bottom - ((heights[at] ?? 0) / most) * (bottom - frame.top);
      return `M${round(left)} ${round(bottom)}V${round(top)}H${round(Math.max(right - 0.5, left + 0.5))}V${round(bottom)}z`;
    })
    .join("");
}

/** The outline of the boxes, for several that lie on each other. Between two bins that do not touch it is on the ground. */
export function outline(bins: readonly Bin[], heights: readonly number[], most: number, extent: { from: number; to: number }, frame: Frame): string {
  const bottom = frame.height - frame.bottom;
  let path = "";
  let end: number | undefined;
  bins.forEach((bin, at) => {
    const [left, right] = [xAt(bin.from_us, extent, frame), xAt(bin.to_us + 1, extent, frame)];
    const top = bottom - ((heights[at] ?? 0) / most) * (bottom - frame.top);
    if (end === undefined) path += `M${round(left)} ${round(bottom)}`;
    else if (left - end > 0.6) path += `V${round(bottom)}H${round(left)}`;
    path += `V${round(top)}H${round(right)}`;
    end = right;
  });
  return path === "" ? "" : `${path}V${round(bottom)}`;
}

/** How many of all are not above a duration; within a bin they are taken to be even. */
export function below(bins: readonly Bin[], micros: number): number {
  return bins.reduce((all, bin) => {
    if (micros >= bin.to_us) return all + bin.count;
    if (micros <= bin.from_us) return all;
    return all + (bin.count * (micros - bin.from_us)) / (bin.to_us - bin.from_us);
  }, 0);
}

// What became of a number since the previous period. Pure.
import { percent } from "./count";
import { parseDecimal, subtract, toText } from "./decimal";
import type { Value } from "./measures";

export interface Change {
  direction: "up" | "down" | "same";
  /** `+12 %`, `new` where there was nothing, `×12` for the many times. */
  text: string;
  /** A share of the previous value; null where that was 0. */
  share: number | null;
}

/** From here on a factor says more than percent. */
const FACTOR_FROM = 10;

/** None where one of the two is not known. */
export function changeOf(now: Value | undefined, before: Value | undefined): Change | undefined {
  if (now === null || now === undefined || before === null || before === undefined) return undefined;
  const difference = differenceOf(now, before);
  if (difference === 0) return { direction: "same", text: "no change", share: 0 };
  const direction = difference > 0 ? "up" : "down";
  const base = Math.abs(Number(before));
  if (base === 0) return { direction, text: "from 0", share: null };
  const share = difference / base;
  if (share >= FACTOR_FROM) return { direction, text: `×${Number((1 + share).toPrecision(2))}`, share };
  return { direction, text: `${share > 0 ? "+" : "−"}${rounded(Math.abs(share))}`, share };
}

/** Whether a change may be nothing but the error of both numbers, each at most `error` of itself. */
export function isWithinError(change: Change, error: number): boolean {
  return change.share !== null && Math.abs(change.share) <= 2 * error;
}

/** Whole percents from 10 on; they are compared, not added up. */
function rounded(share: number): string {
  return percent(share >= 0.1 ? Math.round(share * 100) / 100 : Number(share.toPrecision(2)));
}

/** Money is subtracted as decimals: two amounts that are not the same must not look it. */
function differenceOf(now: Value, before: Value): number {
  if (typeof now === "string" && typeof before === "string") return Number(toText(subtract(parseDecimal(now), parseDecimal(before))));
  return Number(now) - Number(before);
}

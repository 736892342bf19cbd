// A session as it went: when its operations came after each other, how long nothing happened, and what had been spent by then. Pure.
import { add, parseDecimal, toText, trim } from "../../numbers/decimal";
import { toHeight } from "../../numbers/measures";
import { round } from "../../charts/scale";

export interface Timed {
  operation_id?: string;
  started_at?: string;
  time?: string;
  latency_us?: number;
  success?: boolean;
  cost_so_far_usd?: string;
}

/** Adds up what was spent by each operation, its own cost included; what has no price adds nothing. */
export function costSoFar<T extends { cost_usd?: string | null }>(operations: readonly T[], before = "0"): (T & { cost_so_far_usd: string })[] {
  let all = parseDecimal(before);
  return operations.map((operation) => {
    if (operation.cost_usd) all = add(all, parseDecimal(operation.cost_usd));
    return { ...operation, cost_so_far_usd: toText(trim(all)) };
  });
}

/** Nothing for so long is worth a word. */
export const LONG_GAP_MS = 60_000;

export interface Moment {
  /** Since the first start, in milliseconds. */
  from: number;
  to: number;
  /** How long nothing had been under way before it; negative where something still was, none for the first. */
  gap: number | undefined;
}

/** Operations are in the order in which they started. */
export function momentsOf(operations: readonly Timed[]): Moment[] {
  const start = startOf(operations[0]);
  let end: number | undefined;
  return operations.map((operation) => {
    const from = startOf(operation) - start;
    const to = from + (operation.latency_us ?? 0) / 1000;
    const gap = end === undefined ? undefined : from - end;
    end = Math.max(end ?? to, to);
    return { from, to, gap };
  });
}

function startOf(operation: Timed | undefined): number {
  return Date.parse(operation?.started_at ?? operation?.time ?? "");
}

export interface Strip {
  /** Boxes of operations that succeeded, and of those that failed. */
  succeeded: string;
  failed: string;
  /** The cost so far, as steps. */
  cost: string;
  /** What the top of the steps means. */
  most: number;
  /** Milliseconds from the left to the right. */
  length: number;
}

/** Drawn as three paths, however many operations there are. */
export function stripOf(operations: readonly Timed[], moments: readonly Moment[], width: number, height: number): Strip {
  const BAR = 12;
  const length = Math.max(1, ...moments.map(({ to }) => to));
  const most = Math.max(0, ...operations.map(({ cost_so_far_usd }) => toHeight(cost_so_far_usd) ?? 0));
  const x = (millis: number) => round((millis / length) * width);
  const y = (cost: number) => round(height - BAR - 4 - (most > 0 ? cost / most : 0) * (height - BAR - 8));
  const strip = { succeeded: "", failed: "", cost: `M0 ${y(0)}`, most, length };
  operations.forEach((operation, at) => {
    const moment = moments[at];
    if (!moment) return;
    const left = x(moment.from);
    const box = `M${left} ${height - BAR}h${Math.max(round(x(moment.to) - left), 1)}v${BAR}H${left}z`;
    if (operation.success === false) strip.failed += box;
    else strip.succeeded += box;
    strip.cost += `H${left}V${y(toHeight(operation.cost_so_far_usd) ?? 0)}`;
  });
  strip.cost += `H${width}`;
  return strip;
}

/** The last operation that had started at a part of the length. */
export function indexAt(share: number, moments: readonly Moment[]): number {
  const length = Math.max(1, ...moments.map(({ to }) => to));
  const wanted = share * length;
  let found = 0;
  moments.forEach(({ from }, at) => {
    if (from <= wanted) found = at;
  });
  return found;
}

// A value of a group in words. What has no price is in no cost: it must not look as if it cost nothing. Pure.
import { exactCount } from "../numbers/count";
import { exact, glance, type Measure, type Value } from "../numbers/measures";

export type Totals = Partial<Record<Measure, Value>>;

/** What is counted by the catalogue's prices. What was reported, and what is compared with it, is not. */
const PRICED: ReadonlySet<Measure> = new Set([
  "cost_usd", "input_cost_usd", "cache_read_cost_usd", "cache_write_cost_usd", "output_cost_usd", "unit_cost_usd", "cache_savings_usd", "cost_per_operation_usd", "cost_per_1k_tokens_usd",
]);
/** Too small for each operation without a price. Means are of operations that have one; savings have no sign that is sure. */
const isTooSmall = (measure: Measure): boolean => PRICED.has(measure) && measure !== "cost_per_operation_usd" && measure !== "cache_savings_usd";

/** What to ask for too, so that amounts can be put into words. */
export function besideMoney(measures: readonly Measure[]): Measure[] {
  return measures.some((measure) => PRICED.has(measure)) ? ["operations", "unpriced"] : [];
}

export interface Said {
  text: string;
  exact: string;
}

export function said(measure: Measure, totals: Totals | undefined): Said {
  const value = totals?.[measure];
  const whole = { text: glance(measure, value), exact: exact(measure, value) };
  const unpriced = Number(totals?.unpriced ?? 0);
  if (!PRICED.has(measure) || unpriced === 0) return whole;
  const without = `${exactCount(unpriced)} unpriced ${unpriced === 1 ? "operation" : "operations"}`;
  if (isUnpriced(value, totals?.unpriced, totals?.operations)) return { text: "unpriced", exact: `not known, of ${without}` };
  const told = `${whole.exact}, without ${without}`;
  if (value === null || value === undefined || !isTooSmall(measure)) return { text: whole.text, exact: told };
  // Where what most operations cost is not known, a rest that costs nothing would look like the whole.
  const isMostlyUnpriced = 2 * unpriced >= Number(totals?.operations ?? 0);
  return { text: Number(value) === 0 && isMostlyUnpriced ? "unpriced" : `${whole.text} +`, exact: told };
}

/** Of steps: null where no operation of a step has a price. */
export function knownValues(measure: Measure, series: Partial<Record<Measure, Value[]>> | undefined): Value[] {
  const values = series?.[measure] ?? [];
  if (!PRICED.has(measure)) return values;
  return values.map((value, step) => (isUnpriced(value, series?.unpriced?.[step], series?.operations?.[step]) ? null : value));
}

function isUnpriced(value: Value | undefined, unpriced: Value | undefined, operations: Value | undefined): boolean {
  const all = Number(operations ?? 0);
  return Number(value ?? 0) === 0 && all > 0 && Number(unpriced ?? 0) >= all;
}

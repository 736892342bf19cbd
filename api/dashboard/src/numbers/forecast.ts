// What a month will have cost: what it has cost so far, and for what is left of it the mean of the same weekdays of the four weeks
// before, or of all days that are known while a weekday has none. Pure.
import { add, divide, parseDecimal, times, toText, ZERO, type Decimal } from "./decimal";

export interface DayCost {
  /** 0 is Sunday. */
  weekday: number;
  cost: string;
}

export interface Forecast {
  /** Cost of the whole month, nano-dollars exact. */
  total: string;
  /** Whole days that the estimate is made of; 0 means that today alone had to do. */
  days: number;
}

interface Question {
  /** Whole days before today, at most 28, without those before the first operation. */
  past: DayCost[];
  /** Cost of the month until now, today included. */
  soFar: string;
  today: DayCost;
  /** How much of today is over, above 0 and at most 1. */
  elapsed: number;
  /** Weekdays of the days of the month after today. */
  ahead: number[];
}

const NANO = 9;
/** Parts of a day that the rest of today is counted in. */
const PARTS = 1440n;

export function forecast({ past, soFar, today, elapsed, ahead }: Question): Forecast {
  const expected = (weekday: number) => meanOf(past.filter((day) => day.weekday === weekday)) ?? meanOf(past);
  const over = BigInt(Math.min(Math.max(Math.round(elapsed * Number(PARTS)), 1), Number(PARTS)));
  // Without a day that is over, today is all that is known.
  const fallback = divide(times(parseDecimal(today.cost), PARTS), over, NANO);
  const rest = divide(times(expected(today.weekday) ?? fallback, PARTS - over), PARTS, NANO);
  let total = add(parseDecimal(soFar), rest);
  for (const weekday of ahead) total = add(total, expected(weekday) ?? fallback);
  return { total: toText(total), days: past.length };
}

function meanOf(days: DayCost[]): Decimal | undefined {
  if (days.length === 0) return undefined;
  return divide(days.reduce((all, day) => add(all, parseDecimal(day.cost)), ZERO), BigInt(days.length), NANO);
}

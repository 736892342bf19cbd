// US dollars for a glance and in full, from exact decimal text. Pure.
import { absolute, compare, divide, magnitude, parseDecimal, round, times, toText, trim, type Decimal } from "./decimal";
import { GAP } from "./count";

/** From here on cents do not matter to the eye. */
const SHORTENED_FROM = 100_000n;

/** `$1,234.56`; three digits below a dollar, `$0.0042`; shortened from a hundred thousand on, `$1.23 M`. */
export function usd(text: string): string {
  const value = parseDecimal(text);
  if (value.units === 0n) return "$0";
  const size = absolute(value);
  const sign = value.units < 0n ? "-" : "";
  const whole = size.units / 10n ** BigInt(size.scale);
  if (whole >= SHORTENED_FROM) return `${sign}$${shortened(size)}`;
  if (whole >= 1n) return `${sign}$${grouped(toText(round(size, 2), 2))}`;
  // One nano-dollar is the smallest that is counted; means may be smaller.
  const places = Math.min(2 - magnitude(size), 12);
  const rounded = trim(round(size, places), 2);
  if (rounded.units === 0n) return `${sign}<$0.000000000001`;
  return `${sign}$${toText(rounded, 2)}`;
}

/** Every digit, at least cents: `$1,234.567891`. */
export function exactUsd(text: string): string {
  const value = trim(parseDecimal(text), 2);
  return `${value.units < 0n ? "-" : ""}$${grouped(toText(absolute(value), 2))}`;
}

/** Smaller amounts are rounded to nano-dollars too much to say what a million would cost. */
const LEAST_OF_RATES = parseDecimal("0.000001");

/** What a million tokens cost where so many cost this much; none where that does not follow from it. */
export function perMillion(cost: string | undefined, tokens: number | undefined): string | undefined {
  if (cost === undefined || tokens === undefined || tokens <= 0) return undefined;
  const value = parseDecimal(cost);
  return compare(value, LEAST_OF_RATES) < 0 ? undefined : usd(toText(divide(times(value, 1_000_000n), BigInt(tokens), 3)));
}

function shortened(size: Decimal): string {
  const units: [bigint, string][] = [[1_000_000_000n, "B"], [1_000_000n, "M"], [1_000n, "k"]];
  for (const [width, name] of units) {
    // Rounded up to a thousand, a number belongs to the next unit. Rounded once only: twice could end elsewhere.
    const two = divide(size, width, 2);
    if (two.units >= 100n) return `${grouped(toText(trim(two.units >= 100_00n ? divide(size, width, 1) : two)))}${GAP}${name}`;
  }
  return grouped(toText(round(size, 2), 2));
}

function grouped(text: string): string {
  const [whole = "", fraction] = text.split(".");
  const parts = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? parts : `${parts}.${fraction}`;
}

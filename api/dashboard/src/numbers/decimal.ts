// Exact decimal numbers. Money arrives as decimal text; what is shown of it is never passed through a float, which could change a
// digit. Pure.

/** `units` × 10^-`scale`. */
export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}

const FORM = /^([+-]?)(\d+)(?:\.(\d*))?$/;

export const ZERO: Decimal = { units: 0n, scale: 0 };

/** Throws a `RangeError` for text that is no plain decimal number. */
export function parseDecimal(text: string): Decimal {
  const found = FORM.exec(text.trim());
  if (!found) throw new RangeError(`${JSON.stringify(text.slice(0, 40))} is no decimal number`);
  const fraction = found[3] ?? "";
  const units = BigInt(`${found[2] ?? "0"}${fraction}`);
  return { units: found[1] === "-" ? -units : units, scale: fraction.length };
}

export function add(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return { units: unitsAt(a, scale) + unitsAt(b, scale), scale };
}

export function negate(a: Decimal): Decimal {
  return { units: -a.units, scale: a.scale };
}

export function subtract(a: Decimal, b: Decimal): Decimal {
  return add(a, negate(b));
}

export function times(a: Decimal, factor: bigint): Decimal {
  return { units: a.units * factor, scale: a.scale };
}

export function sum(texts: Iterable<string>): Decimal {
  let all = ZERO;
  for (const text of texts) all = add(all, parseDecimal(text));
  return all;
}

/** Below 0, 0 or above, as in sorting. */
export function compare(a: Decimal, b: Decimal): number {
  const difference = subtract(a, b).units;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** Divides by a whole number, rounded half to even at `places` decimals. */
export function divide(a: Decimal, by: bigint, places: number): Decimal {
  if (by === 0n) throw new RangeError("division by zero");
  const scale = Math.max(a.scale, places);
  const [numerator, denominator] = by < 0n ? [-unitsAt(a, scale), -by] : [unitsAt(a, scale), by];
  return { units: quotient(numerator, denominator * 10n ** BigInt(scale - places)), scale: places };
}

/** Rounds half to even at `places` decimals; a number with fewer keeps them. */
export function round(a: Decimal, places: number): Decimal {
  return a.scale <= places ? a : { units: quotient(a.units, 10n ** BigInt(a.scale - places)), scale: places };
}

/** How far the first digit that is not zero is left of the decimal point: 0 for 3.2, 2 for 320, -3 for 0.0032. Not for zero. */
export function magnitude(a: Decimal): number {
  return absolute(a).units.toString().length - 1 - a.scale;
}

export function absolute(a: Decimal): Decimal {
  return a.units < 0n ? negate(a) : a;
}

/** Plain text with at least `places` decimals. */
export function toText(a: Decimal, places = 0): string {
  const scale = Math.max(a.scale, places);
  const digits = absolute({ units: unitsAt(a, scale), scale }).units.toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale);
  return `${a.units < 0n ? "-" : ""}${whole}${fraction ? `.${fraction}` : ""}`;
}

/** Without zeros at the end, but with at least `places` decimals. */
export function trim(a: Decimal, places = 0): Decimal {
  let { units, scale } = a;
  while (scale > places && units % 10n === 0n) {
    units /= 10n;
    scale -= 1;
  }
  return { units, scale };
}

/** For the lengths and heights of charts only. */
export function toNumber(a: Decimal): number {
  return Number(toText(a));
}

function unitsAt(a: Decimal, scale: number): bigint {
  return a.units * 10n ** BigInt(scale - a.scale);
}

/** The denominator is above 0. */
function quotient(numerator: bigint, denominator: bigint): bigint {
  const whole = numerator / denominator;
  const rest = numerator % denominator;
  const twice = (rest < 0n ? -rest : rest) * 2n;
  const away = twice > denominator || (twice === denominator && whole % 2n !== 0n);
  return away ? whole + (numerator < 0n ? -1n : 1n) : whole;
}

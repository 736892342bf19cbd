// Counts for a glance, 1.2 k, and in full, 1,234. Pure.

/** Keeps a number and its unit on one line. */
export const GAP = "\u00a0";

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en-US", { maximumFractionDigits: 3 });
const PREFIXES = ["", "k", "M", "B", "T"];

/** Three digits at most, then the unit. */
export function count(value: number): string {
  const sign = value < 0 ? "-" : "";
  let left = Math.abs(value);
  if (left < 999.5) return sign + (Number.isInteger(left) ? String(left) : shortened(left));
  let prefix = 0;
  while (left >= 999.5 && prefix < PREFIXES.length - 1) {
    left /= 1000;
    prefix += 1;
  }
  return `${sign}${shortened(left)}${GAP}${PREFIXES[prefix]}`;
}

/** Of bytes, in units of 1,000: 12.3 MB. */
export function bytes(value: number): string {
  const text = count(value);
  // A billion is a giga in units.
  return text.includes(GAP) ? `${text.replace(`${GAP}B`, `${GAP}G`)}B` : `${text}${GAP}B`;
}

/** The whole number, grouped by thousands. */
export function exactCount(value: number): string {
  return Number.isInteger(value) ? whole.format(value) : fine.format(value);
}

/** One decimal below 100, two below 1 and without zeros at the end. */
function shortened(value: number): string {
  const places = value < 1 ? 2 : value < 99.95 ? 1 : 0;
  return String(Number(value.toFixed(places)));
}

/** A share of 1 as percent: 12 %, 1.25 %, 0.004 %. */
export function percent(share: number): string {
  const value = share * 100;
  const size = Math.abs(value);
  const places = size === 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : size >= 0.995 ? 2 : 3;
  const text = String(Number(value.toFixed(places)));
  return text === "0" && size > 0 ? `<0.001${GAP}%` : `${text}${GAP}%`;
}

/** Every digit that a float has. */
export function exactPercent(share: number): string {
  return `${Number((share * 100).toPrecision(12))}${GAP}%`;
}

/** What a part is of everything; none where there is nothing. */
export function share(part: number, all: number): string {
  return all > 0 ? percent(part / all) : "–";
}

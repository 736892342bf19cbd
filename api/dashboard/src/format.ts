// Numbers and moments for people. Money arrives as exact decimal text and is rounded here, for the eye only.

const whole = new Intl.NumberFormat(undefined);
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shortClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayAndClock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export function count(value: number): string {
  return value < 100_000 ? whole.format(value) : compact.format(value);
}

export function exact(value: number): string {
  return whole.format(value);
}

export function share(part: number, all: number): string {
  return all > 0 ? percent.format(part / all) : "–";
}

/** Two decimals from a dollar on, else three significant digits: a single operation costs fractions of a cent. */
export function usd(text: string | null): string {
  if (text === null) return "unpriced";
  const value = Number(text);
  if (value === 0) return "$0";
  if (Math.abs(value) >= 100_000) return `$${compact.format(value)}`;
  if (Math.abs(value) >= 1) return `$${value.toLocaleString(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${value.toLocaleString(undefined, { maximumSignificantDigits: 3, maximumFractionDigits: 9 })}`;
}

export function duration(micros: number | null | undefined): string {
  if (micros === null || micros === undefined) return "–";
  if (micros < 1_000) return `${micros} µs`;
  if (micros < 1_000_000) return `${Math.round(micros / 1_000)} ms`;
  if (micros < 60_000_000) return `${(micros / 1_000_000).toFixed(micros < 10_000_000 ? 2 : 1)} s`;
  return `${Math.floor(micros / 60_000_000)} min ${Math.round((micros % 60_000_000) / 1_000_000)} s`;
}

export function time(moment: string): string {
  return clock.format(new Date(moment));
}

/** A mark of a chart's axis, in Unix seconds, whose marks are `gap` seconds apart. */
export function axisTime(seconds: number, gap: number): string {
  const at = new Date(seconds * 1000);
  const isMidnight = at.getHours() === 0 && at.getMinutes() === 0;
  return gap >= 86_400 || isMidnight ? day.format(at) : shortClock.format(at);
}

export function moment(text: string): string {
  return dayAndClock.format(new Date(text));
}

// Numbers and moments for people. Money arrives as exact decimal text and is rounded here, for the eye only.

const whole = new Intl.NumberFormat(undefined);
const compact = new Intl.NumberFormat(undefined, { notation: "compact", maximumFractionDigits: 1 });
const percent = new Intl.NumberFormat(undefined, { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shortClock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
// Steps of a day are days of UTC, wherever the reader is.
const utcDay = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const utcMonth = new Intl.DateTimeFormat(undefined, { month: "short", year: "numeric", timeZone: "UTC" });
const utcDate = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
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

/** Units change where the rounded number would not fit any more: never "1000 ms" or "1 min 60 s". */
export function duration(micros: number | null | undefined): string {
  if (micros === null || micros === undefined) return "–";
  if (micros < 999.5) return `${Math.round(micros)} µs`;
  if (micros < 999_500) return `${Math.round(micros / 1_000)} ms`;
  const seconds = micros / 1_000_000;
  if (seconds < 9.995) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  return minutes(Math.round(seconds));
}

/** How long ago something was, in the two largest units. */
export function ago(millis: number): string {
  return minutes(Math.max(Math.round(millis / 1000), 0));
}

function minutes(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const whole = Math.round(seconds / 60);
  if (whole < 24 * 60) return `${Math.floor(whole / 60)} h ${whole % 60} min`;
  const hours = Math.round(whole / 60);
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
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

/** A mark of an axis whose steps are days: the month, where marks are that far apart. */
export function axisDay(seconds: number, gap: number): string {
  return (gap >= 28 * 86_400 ? utcMonth : utcDay).format(new Date(seconds * 1000));
}

/** The day that a step of a day is, in Unix seconds. */
export function dayOfStep(seconds: number): string {
  return utcDate.format(new Date(seconds * 1000));
}

export function dateOf(moment: string): string {
  return date.format(new Date(moment));
}

/** The reader's, in which all times but steps of a day are shown. */
export function timeZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

export function moment(text: string): string {
  return dayAndClock.format(new Date(text));
}

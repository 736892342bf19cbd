// Durations for people: 850 ms, 1.2 s, 2 min 5 s. Pure.
import { GAP } from "./count";

/** Microseconds. Units change where the rounded number would not fit any more: never "1000 ms" or "1 min 60 s". */
export function duration(micros: number): string {
  if (micros < 999.5) return `${Math.round(micros)}${GAP}µs`;
  if (micros < 9_950) return `${(micros / 1_000).toFixed(1)}${GAP}ms`;
  if (micros < 999_500) return `${Math.round(micros / 1_000)}${GAP}ms`;
  const seconds = micros / 1_000_000;
  if (seconds < 59.95) return `${seconds.toFixed(1)}${GAP}s`;
  return minutes(Math.round(seconds));
}

/** Every microsecond, as milliseconds: 1,234.567 ms. */
export function exactDuration(micros: number): string {
  return `${(micros / 1_000).toLocaleString("en-US", { maximumFractionDigits: 3 })}${GAP}ms`;
}

/** How long ago something was, in the two largest units. */
export function ago(millis: number): string {
  return minutes(Math.max(Math.round(millis / 1000), 0));
}

function minutes(seconds: number): string {
  if (seconds < 60) return `${seconds}${GAP}s`;
  if (seconds < 3600) return two(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const whole = Math.round(seconds / 60);
  if (whole < 24 * 60) return two(Math.floor(whole / 60), "h", whole % 60, "min");
  const hours = Math.round(whole / 60);
  return two(Math.floor(hours / 24), "d", hours % 24, "h");
}

function two(large: number, unit: string, small: number, smaller: string): string {
  return `${large}${GAP}${unit} ${small}${GAP}${smaller}`;
}

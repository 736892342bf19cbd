// Moments as people read them, in a zone. 24 hours and the month in letters: nobody takes the day for the month.
import { RANGES, type Range, type Resolution } from "./range";
import { DAY, MINUTE, offsetText, toLocal } from "./zone";

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${name} ${zone}`;
  let found = formats.get(key);
  if (!found) formats.set(key, (found = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: zone, hourCycle: "h23" })));
  return found;
}

const CLOCK = { hour: "2-digit", minute: "2-digit" } as const;

export function clock(moment: number, zone: string): string {
  return format(zone, "clock", { ...CLOCK, second: "2-digit" }).format(moment);
}

export function shortClock(moment: number, zone: string): string {
  return format(zone, "short clock", CLOCK).format(moment);
}

/** Days of another year than the present one say which. */
export function day(moment: number, zone: string): string {
  return dated(moment, zone, "day", { day: "numeric", month: "short" });
}

export function weekday(moment: number, zone: string): string {
  return dated(moment, zone, "weekday", { weekday: "short", day: "numeric", month: "short" });
}

function dated(moment: number, zone: string, name: string, options: Intl.DateTimeFormatOptions): string {
  const isPresent = yearOf(moment, zone) === yearOf(Date.now(), zone);
  return (isPresent ? format(zone, name, options) : format(zone, `${name} of a year`, { ...options, year: "numeric" })).format(moment);
}

function yearOf(moment: number, zone: string): number {
  return new Date(toLocal(moment, zone)).getUTCFullYear();
}

export function month(moment: number, zone: string): string {
  return format(zone, "month", { month: "short", year: "numeric" }).format(moment);
}

export function dayAndClock(moment: number, zone: string): string {
  return format(zone, "both", { day: "numeric", month: "short", year: "numeric", ...CLOCK, second: "2-digit" }).format(moment);
}

export function dayAndMinute(moment: number, zone: string): string {
  return dated(moment, zone, "minute", { day: "numeric", month: "short", ...CLOCK });
}

/** The clock, and the day where that is not today. */
export function recent(moment: number, now: number, zone: string): string {
  const isToday = now - moment <= DAY && day(now, zone) === day(moment, zone);
  return isToday ? clock(moment, zone) : `${day(moment, zone)}, ${clock(moment, zone)}`;
}

/** Everything, with the distance from UTC: for tooltips. */
export function exactMoment(moment: number, zone: string): string {
  return `${dayAndClock(moment, zone)} ${zone} (${offsetText(moment, zone)})`;
}

/** How widths of steps are called. */
export const STEP_NAMES: Record<Resolution, string> = { minute: "minutes", quarter_hour: "quarters of an hour", hour: "hours", day: "days", week: "weeks", month: "months" };

/** How a step is called. */
export function stepName(start: number, end: number, resolution: Resolution, zone: string): string {
  if (resolution === "month") return month(start, zone);
  if (resolution === "week") return `week of ${weekday(start, zone)}`;
  if (resolution === "day") return weekday(start, zone);
  return `${day(start, zone)}, ${shortClock(start, zone)}–${shortClock(end, zone)}`;
}

/** From and to, as short as they can be. */
export function spanName(from: number, to: number, zone: string): string {
  const isDays = shortClock(from, zone) === "00:00" && shortClock(to, zone) === "00:00";
  if (isDays && to - from > DAY / 2) {
    const last = to - MINUTE;
    return day(from, zone) === day(last, zone) ? weekday(from, zone) : `${day(from, zone)} – ${day(last, zone)}`;
  }
  const isOneDay = day(from, zone) === day(to, zone);
  return `${dayAndMinute(from, zone)} – ${isOneDay ? shortClock(to, zone) : dayAndMinute(to, zone)}`;
}

/** A range as it was chosen. */
export function rangeName(range: Range, zone: string): string {
  return "name" in range ? RANGES[range.name].about : spanName(range.from, range.to, zone);
}

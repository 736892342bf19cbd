// The ranges of time that can be chosen, the moments they mean now, and the period that came before. Pure.
import { alignDown, DAY, HOUR, MINUTE, startOfDay, startOfMonth, startOfWeek, toLocal, fromLocal } from "./zone";

/** Widths of steps, the narrowest first. */
const RESOLUTIONS = ["minute", "quarter_hour", "hour", "day", "week", "month"] as const;

export type Resolution = (typeof RESOLUTIONS)[number];

export function isResolution(text: string): text is Resolution {
  return (RESOLUTIONS as readonly string[]).includes(text);
}

export interface Span {
  /** Unix milliseconds of a whole minute, in the span. */
  from: number;
  /** The same, not in the span. */
  to: number;
}

/** `{ name }` moves with the clock; a span stays. */
export type Range = { name: RangeName } | Span;

export interface Period extends Span {
  /** Width of the steps. */
  resolution: Resolution;
  /** Every width that can be chosen. */
  choices: readonly Resolution[];
  /** What is compared with; none before the beginning of all. */
  previous: Span | undefined;
}

const QUARTER = 15 * MINUTE;
/** Windows of minutes are kept for seven days; the rest is room for slow clocks. */
const MINUTES_KEPT = 7 * DAY - 3 * HOUR;
/** Operations cannot be older. */
export const BEGINNING = Date.UTC(2015, 0, 1);

interface Named {
  label: string;
  about: string;
  /** How often everything is asked for again, in seconds. */
  refresh: number;
}

export const RANGES = {
  "15m": { label: "15 min", about: "Last 15 minutes", refresh: 5 },
  "1h": { label: "1 h", about: "Last hour", refresh: 5 },
  "6h": { label: "6 h", about: "Last 6 hours", refresh: 10 },
  "24h": { label: "24 h", about: "Last 24 hours", refresh: 15 },
  "7d": { label: "7 d", about: "Last 7 days", refresh: 30 },
  "30d": { label: "30 d", about: "Last 30 days", refresh: 60 },
  "90d": { label: "90 d", about: "Last 90 days", refresh: 60 },
  "1y": { label: "1 y", about: "Last 365 days", refresh: 60 },
  today: { label: "Today", about: "Today, to now", refresh: 15 },
  yesterday: { label: "Yesterday", about: "Yesterday", refresh: 60 },
  this_week: { label: "This week", about: "Since Monday, to now", refresh: 30 },
  this_month: { label: "This month", about: "Since the first of the month, to now", refresh: 60 },
  last_month: { label: "Last month", about: "The whole last month", refresh: 60 },
  all: { label: "All time", about: "Everything there is", refresh: 60 },
} satisfies Record<string, Named>;

export type RangeName = keyof typeof RANGES;

export function isRangeName(text: string): text is RangeName {
  return Object.hasOwn(RANGES, text);
}

export function refreshSeconds(range: Range): number {
  return "name" in range ? RANGES[range.name].refresh : 60;
}

const ROLLING: Partial<Record<RangeName, { length: number; step: Resolution }>> = {
  "15m": { length: 15 * MINUTE, step: "minute" },
  "1h": { length: HOUR, step: "minute" },
  "6h": { length: 6 * HOUR, step: "quarter_hour" },
  "24h": { length: DAY, step: "quarter_hour" },
  "7d": { length: 7 * DAY, step: "hour" },
};
const WIDTHS: Record<Resolution, number> = { minute: MINUTE, quarter_hour: QUARTER, hour: HOUR, day: DAY, week: 7 * DAY, month: 30 * DAY };
/** More are no chart but a blur. */
const MOST_STEPS = 800;
/** Days of the calendar, of which today is the last. */
const LOCAL_DAYS: Partial<Record<RangeName, number>> = { "30d": 30, "90d": 90, "1y": 365 };

/** What a range has before its steps are chosen. */
type Bare = Omit<Period, "choices">;

/**
 * What a range means at `now`. All time begins with `first`, the first moment from which there is anything. `step` is the width of its
 * steps where the range has such; else it is the one that a chart shows well.
 */
export function periodOf(range: Range, now: number, zone: string, first: number = BEGINNING, step?: Resolution): Period {
  const end = Math.floor(now / MINUTE) * MINUTE + MINUTE;
  const period = "name" in range ? named(range.name, end, now, zone, first) : fixed(range);
  const isOld = period.from < now - MINUTES_KEPT;
  const automatic = isOld && period.resolution === "minute" ? "quarter_hour" : period.resolution;
  const length = period.to - period.from;
  const isChoice = (width: Resolution) => width === automatic || (!(isOld && width === "minute") && WIDTHS[width] < length && length / WIDTHS[width] <= MOST_STEPS);
  const choices = RESOLUTIONS.filter(isChoice);
  const resolution = step && choices.includes(step) ? step : automatic;
  return { ...kept(period, now), resolution, choices, previous: period.previous && kept(period.previous, now) };
}

function named(name: RangeName, end: number, now: number, zone: string, first: number): Bare {
  const rolling = ROLLING[name];
  if (rolling) {
    const width = WIDTHS[rolling.step];
    // On a whole step, so that no chart begins with a cut one.
    const from = alignDown(end - 1, width, zone) + width - rolling.length;
    return { from, to: end, resolution: rolling.step, previous: { from: from - rolling.length, to: end - rolling.length } };
  }
  const days = LOCAL_DAYS[name];
  if (days !== undefined) return since(startOfDay(now, zone, 1 - days), startOfDay(now, zone, 1 - 2 * days), end, zone);
  switch (name) {
    case "today":
      return since(startOfDay(now, zone), startOfDay(now, zone, -1), end, zone);
    case "yesterday":
      return whole(startOfDay(now, zone, -1), startOfDay(now, zone), startOfDay(now, zone, -2));
    case "this_week":
      return since(startOfWeek(now, zone), startOfWeek(now, zone, -1), end, zone);
    case "this_month":
      return since(startOfMonth(now, zone), startOfMonth(now, zone, -1), end, zone);
    case "last_month":
      return whole(startOfMonth(now, zone, -1), startOfMonth(now, zone), startOfMonth(now, zone, -2));
    default: {
      const from = Math.min(startOfDay(first, zone), end - HOUR);
      return { from, to: end, resolution: resolutionFor(from, end), previous: undefined };
    }
  }
}

/** From a beginning to now, compared with as much local time from an earlier beginning, at most to this one. */
function since(from: number, earlier: number, end: number, zone: string): Bare {
  const elapsed = toLocal(end, zone) - toLocal(from, zone);
  const to = Math.min(fromLocal(toLocal(earlier, zone) + elapsed, zone), from);
  return { from, to: end, resolution: resolutionFor(from, end), previous: { from: earlier, to } };
}

function whole(from: number, to: number, earlier: number): Bare {
  return { from, to, resolution: resolutionFor(from, to), previous: { from: earlier, to: from } };
}

function fixed(span: Span): Bare {
  const length = span.to - span.from;
  const from = span.from - length;
  const previous = from >= BEGINNING ? { from, to: span.from } : undefined;
  return { ...span, resolution: resolutionFor(span.from, span.to), previous };
}

/** Some dozens to some hundreds of steps. */
export function resolutionFor(from: number, to: number): Resolution {
  const length = to - from;
  if (length <= 3 * HOUR) return "minute";
  if (length <= 36 * HOUR) return "quarter_hour";
  if (length <= 15 * DAY) return "hour";
  if (length <= 400 * DAY) return "day";
  return length <= 5 * 366 * DAY ? "week" : "month";
}

/** Edges where minutes are not kept any more move to the nearest quarter-hours, of which there is always at least one. */
function kept(span: Span, now: number): Span {
  const move = (moment: number) => (moment < now - MINUTES_KEPT ? Math.round(moment / QUARTER) * QUARTER : moment);
  const from = move(span.from);
  return { from, to: Math.max(move(span.to), from + (from < now - MINUTES_KEPT ? QUARTER : MINUTE)) };
}

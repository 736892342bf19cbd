// What a budget is about: since when it counts, and which operations. Pure.
import { isDimension, type Dimension } from "../../api/dimensions";
import type { View } from "../../state/view";
import type { Span } from "../../time/range";
import { alignDown, DAY, HOUR, MINUTE, startOfDay, startOfMonth, startOfWeek } from "../../time/zone";
import type { Rule } from "./words";

const QUARTER = 15 * MINUTE;

/** The present period, whole: operations may be dated ahead. A rolling one ends with the quarter-hour that began, and never for good. */
export interface Running extends Span {
  isRolling: boolean;
}

/** As the aggregator counts it. */
export function runningOf(rule: Pick<Rule, "period" | "rolling" | "zone">, now: number): Running {
  const rolling = /^(\d+)([hd])$/.exec(rule.rolling ?? "");
  if (rolling) {
    const length = Number(rolling[1]) * (rolling[2] === "h" ? HOUR : DAY);
    return { from: Math.floor((now - length) / QUARTER) * QUARTER, to: Math.floor(now / QUARTER) * QUARTER + QUARTER, isRolling: true };
  }
  const zone = rule.zone ?? "UTC";
  const isRolling = false;
  switch (rule.period) {
    case "hour": {
      const from = alignDown(now, HOUR, zone);
      return { from, to: endOfHour(from, now, zone), isRolling };
    }
    case "day":
      return { from: startOfDay(now, zone), to: startOfDay(now, zone, 1), isRolling };
    case "week":
      return { from: startOfWeek(now, zone), to: startOfWeek(now, zone, 1), isRolling };
    default:
      return { from: startOfMonth(now, zone), to: startOfMonth(now, zone, 1), isRolling };
  }
}

/** Where clocks move by half an hour, an hour may be half as long or longer by half. */
function endOfHour(from: number, now: number, zone: string): number {
  const ends = [HOUR / 2, HOUR, 1.5 * HOUR].map((length) => from + length);
  return ends.find((end) => end > now && alignDown(end, HOUR, zone) === end) ?? from + HOUR;
}

/** The operations that count for a budget, or that an alert is about, as filters. */
export function filtersOf({ workspace, filter }: { workspace?: string | null; filter?: Readonly<Record<string, string | null>> | null }): View["filters"] {
  const given = Object.entries({ ...(workspace ? { workspace } : {}), ...filter });
  return Object.fromEntries(given.map(([name, value]) => [name, [value ?? ""]]));
}

/** What it is counted by, each value by itself. */
export function groupsOf({ per = [] }: Pick<Rule, "per">): Dimension[] {
  return (per ?? []).filter(isDimension);
}

/** How much of it is spent, as a share. */
export function spentShare(cost: string, amount: string): number {
  const most = Number(amount);
  return most > 0 ? Number(cost) / most : 0;
}

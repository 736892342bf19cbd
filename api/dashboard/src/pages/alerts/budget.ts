// What a budget is about: since when it counts, and which operations. Pure.
import type { Dimension } from "../../api/dimensions";
import { isDimension } from "../../api/dimensions";
import type { View } from "../../state/view";
import type { Span } from "../../time/range";
import { alignDown, DAY, HOUR, MINUTE, startOfDay, startOfMonth, startOfWeek } from "../../time/zone";
import type { Rule } from "./words";

const QUARTER = 15 * MINUTE;

/** From the beginning of its present period to now; `end` is when that is over, which a rolling one never is. */
export interface Running extends Span {
  end: number | undefined;
}

export function runningOf(rule: Pick<Rule, "period" | "rolling" | "zone">, now: number): Running {
  const to = Math.floor(now / MINUTE) * MINUTE + MINUTE;
  const rolling = /^(\d+)([hd])$/.exec(rule.rolling ?? "");
  if (rolling) {
    const length = Number(rolling[1]) * (rolling[2] === "h" ? HOUR : DAY);
    // As the aggregator counts it: from the quarter-hour in which it began.
    return { from: Math.floor((now - length) / QUARTER) * QUARTER, to, end: undefined };
  }
  const zone = rule.zone ?? "UTC";
  switch (rule.period) {
    case "hour": {
      const from = alignDown(now, HOUR, zone);
      return { from, to, end: from + HOUR };
    }
    case "day":
      return { from: startOfDay(now, zone), to, end: startOfDay(now, zone, 1) };
    case "week":
      return { from: startOfWeek(now, zone), to, end: startOfWeek(now, zone, 1) };
    default:
      return { from: startOfMonth(now, zone), to, end: startOfMonth(now, zone, 1) };
  }
}

/** The operations that count, as filters. */
export function filtersOf({ workspace, filter = {} }: Pick<Rule, "workspace" | "filter">): View["filters"] {
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

// What a reader can do when the server says that a question is too much for it. Pure.
import { FILTERS, isKept } from "../api/dimensions";
import { RANGES, type Range, type RangeName } from "../time/range";
import { HOUR } from "../time/zone";
import type { View } from "./view";

export interface Way {
  label: string;
  change: Partial<View>;
}

interface Trouble {
  title: string;
  /** Whether less to read helps. */
  isTooMuch: boolean;
}

const TROUBLES: Record<string, Trouble> = {
  too_slow: { title: "This takes too long", isTooMuch: true },
  too_much_memory: { title: "This is too much at once", isTooMuch: true },
  too_many_groups: { title: "There are too many groups", isTooMuch: true },
  busy: { title: "The server is busy with other questions", isTooMuch: false },
};

/** None for troubles that are told in the server's words alone. */
export function titleOf(code: string): string | undefined {
  return Object.hasOwn(TROUBLES, code) ? TROUBLES[code]?.title : undefined;
}

const SHORTER: Partial<Record<RangeName, RangeName>> = {
  all: "1y", "1y": "90d", "90d": "30d", "30d": "7d", "7d": "24h", "24h": "6h", "6h": "1h", "1h": "15m",
  today: "6h", yesterday: "6h", this_week: "24h", this_month: "7d", last_month: "7d",
};

/** Changes of the view that leave the server less to read. */
export function waysOut(code: string, view: Pick<View, "range" | "filters" | "options">): Way[] {
  if (!TROUBLES[code]?.isTooMuch) return [];
  const ways: Way[] = [];
  const shorter = shorterThan(view.range);
  if (shorter) ways.push({ label: "name" in shorter ? RANGES[shorter.name].about : "The later half of the range", change: { range: shorter } });
  const open = FILTERS.filter((name) => !isKept(name) && (view.filters[name]?.length ?? 0) > 0);
  if (open.length > 0 && code !== "too_many_groups") {
    ways.push({ label: "Only filters that windows know", change: { filters: Object.fromEntries(FILTERS.flatMap((name) => (isKept(name) && view.filters[name] ? [[name, view.filters[name]]] : []))) } });
  }
  const { split, ...options } = view.options;
  if (split !== undefined) ways.push({ label: "Split as usual", change: { options } });
  return ways;
}

function shorterThan(range: Range): Range | undefined {
  if ("name" in range) {
    const name = SHORTER[range.name];
    return name && { name };
  }
  const half = Math.ceil((range.to - range.from) / 2 / HOUR) * HOUR;
  return range.to - half > range.from ? { from: range.to - half, to: range.to } : undefined;
}

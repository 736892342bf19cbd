// What a dashboard shows, and how that is changed. Pure.
import { filterOf, isDimension } from "../../api/dimensions";
import type { PanelDefinition } from "../../api/views";
import type { View } from "../../state/view";

export const CHARTS = {
  lines: { label: "Lines over time", most: 6, by: 1 },
  bars: { label: "Bars over time", most: 1, by: 1 },
  ranking: { label: "Ranking", most: 1, by: 1 },
  table: { label: "Table", most: 10, by: 3 },
  number: { label: "Numbers", most: 8, by: 0 },
  distribution: { label: "Distribution", most: 1, by: 1 },
} as const;

export type Chart = keyof typeof CHARTS;
export const CHART_NAMES = Object.keys(CHARTS) as Chart[];
/** As many may be on a dashboard. */
export const MOST_PANELS = 60;

export function isChart(text: string): text is Chart {
  return Object.hasOwn(CHARTS, text);
}

export const NEW_PANEL: PanelDefinition = { title: "Operations", chart: "lines", measures: ["operations"], by: [], filters: {}, resolution: "auto", width: 1, limit: 8 };

/** Of three columns, in twelfths of the page. */
export function spanOf(panel: PanelDefinition): 4 | 8 | 12 {
  return panel.width === 3 ? 12 : panel.width === 2 ? 8 : 4;
}

/** Filters of the page and those of a panel; of one dimension those of the panel. */
export function filtersOf(panel: PanelDefinition, page: View["filters"]): View["filters"] {
  const own: Partial<Record<string, string[]>> = {};
  for (const [name, values] of Object.entries(panel.filters ?? {})) {
    if (!isDimension(name)) continue;
    for (const value of values) {
      const filter = filterOf(name, value);
      own[filter.name] = [...(own[filter.name] ?? []), filter.value];
    }
  }
  const keys = new Set((own.tag ?? []).map(keyOf));
  const tags = [...(own.tag ?? []), ...(page.tag ?? []).filter((tag) => !keys.has(keyOf(tag)))];
  return { ...page, ...own, ...(tags.length > 0 ? { tag: tags } : {}) };
}

function keyOf(tag: string): string {
  return tag.split(":")[0] ?? "";
}

/** What a chart can show of a panel: never more than it has room for, and something in any case. */
export function fitting(panel: PanelDefinition, chart: Chart): PanelDefinition {
  const { most, by } = CHARTS[chart];
  const isDuration = chart === "distribution";
  const wasDuration = panel.chart === "distribution";
  const measures = isDuration === wasDuration ? panel.measures.slice(0, most) : [isDuration ? "latency" : "operations"];
  const groups = (panel.by ?? []).slice(0, by);
  // A ranking is of something.
  return { ...panel, chart, measures, by: groups.length === 0 && (chart === "ranking" || chart === "table") ? ["model"] : groups };
}

/** What is wrong with a panel before the server says so; none when it can be drawn. */
export function faultOf(panel: PanelDefinition): string | undefined {
  if (panel.title.trim() === "") return "A panel has a title.";
  if (panel.measures.length === 0) return "A panel measures something.";
  if ((panel.chart === "ranking" || panel.chart === "table") && (panel.by ?? []).length === 0) return "This chart is by something.";
  return undefined;
}

export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const rest = list.filter((_, at) => at !== from);
  const one = list[from];
  return one === undefined || to < 0 || to >= list.length ? [...list] : [...rest.slice(0, to), one, ...rest.slice(to)];
}

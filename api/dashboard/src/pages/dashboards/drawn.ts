// What a chart draws of a panel that may hold more: a heading says this, and the editor what is beyond it. Pure.
import { isDimension, kindOf, type Dimension } from "../../api/dimensions";
import type { PanelDefinition } from "../../api/views";
import { isMeasure, labelOf, unitOf, type Measure } from "../../numbers/measures";
import { DURATION_NAMES, isDuration, type Duration } from "../../panel/durations";

export interface Drawn {
  measures: Measure[];
  by: Dimension[];
  /** In place of measures, where a distribution is drawn. */
  duration?: Duration;
}

export function drawnOf(panel: PanelDefinition): Drawn {
  const by = (panel.by ?? []).filter(isDimension);
  const duration = panel.measures.find(isDuration);
  if (panel.chart === "distribution" && duration) return { measures: [], by: by.slice(0, 1), duration };
  const measures = panel.measures.filter(isMeasure);
  if (panel.chart === "number") return { measures, by: [] };
  if (panel.chart === "table" && by.length > 0) return { measures, by };
  // A group is one line or one bar: of one measure.
  if (by.length > 0) return { measures: measures.slice(0, 1), by: by.slice(0, 1) };
  // There is one axis.
  return { measures: measures.filter((one) => measures[0] && unitOf(one) === unitOf(measures[0])), by: [] };
}

export function measureName(name: string): string {
  return isMeasure(name) ? labelOf(name) : isDuration(name) ? DURATION_NAMES[name] : name;
}

const dimensionName = (name: string) => (isDimension(name) ? kindOf(name).label : name);

/** More names than this are counted only. */
const NAMED = 3;

/** The line below the title. */
export function aboutOf(panel: PanelDefinition): string {
  const { measures, by, duration } = drawnOf(panel);
  const names = duration ? [DURATION_NAMES[duration]] : measures.map(labelOf);
  const more = names.length - NAMED;
  const what = more > 0 ? [...names.slice(0, NAMED), `${more} more`] : names;
  return [...what, ...by.map((name) => `by ${kindOf(name).label.toLowerCase()}`), ...filterNames(panel)].join(", ");
}

export function filterNames(panel: PanelDefinition): string[] {
  return Object.entries(panel.filters ?? {}).map(([name, values]) => `${name} ${values.map((value) => value || "none").join(" or ")}`);
}

/** What of a panel is not drawn, and why; none where everything is. */
export function undrawn(panel: PanelDefinition): string | undefined {
  const { measures, by, duration } = drawnOf(panel);
  const shown: string[] = duration ? [duration] : measures;
  const dimensions: string[] = by;
  const left = [...panel.measures.filter((name) => !shown.includes(name)).map(measureName), ...(panel.by ?? []).filter((name) => !dimensions.includes(name)).map((name) => `by ${dimensionName(name).toLowerCase()}`)];
  if (left.length === 0 || shown.length === 0) return undefined;
  return `Not drawn: ${left.join(", ")}. ${reasonOf(panel, by.length > 0)}`;
}

function reasonOf({ chart }: PanelDefinition, isSplit: boolean): string {
  if (chart === "distribution") return "A distribution is of one duration, by one dimension at most.";
  if (chart === "ranking") return "A ranking is of one measure, by one dimension.";
  if (chart === "number") return "Numbers are of everything together.";
  if (chart === "table") return "A table has the measures and dimensions that are known here.";
  return isSplit ? "Over time, one measure is drawn by one dimension." : "Over time, measures of one unit are drawn on one axis.";
}

// Turns groups of an answer into what charts draw.
import { valueName, type Dimension } from "../api/dimensions";
import type { QueryAnswer, QueryGroup } from "../api/query";
import { restOf } from "../charts/total";
import type { Item, Series } from "../charts/series";
import type { Table } from "../numbers/csv";
import { labelOf, toHeight, type Measure } from "../numbers/measures";
import { isoLocal } from "../time/zone";
import { place } from "../state/place.svelte";
import { colourOf, seriesColour } from "../theme/colours";
import { knownValues, said } from "./said";

/** The dimension that a group is named and coloured by: the last one asked for. */
function named(answer: QueryAnswer): Dimension | undefined {
  return answer.dimensions.at(-1);
}

export function keyOf(group: QueryGroup): string {
  return JSON.stringify(Object.values(group.dimensions));
}

/** One series for each group. */
export function seriesByGroup(answer: QueryAnswer, measure: Measure): Series[] {
  const dimension = named(answer);
  if (!dimension) return [];
  return answer.groups.map((group) => {
    const value = group.dimensions[dimension] ?? null;
    return {
      key: keyOf(group),
      label: valueName(dimension, value),
      colour: colourOf(dimension, value),
      values: knownValues(measure, group.series),
      total: said(measure, group.totals),
      choose: () => place.toggle(dimension, value),
      isChosen: place.isChosen(dimension, value),
    };
  });
}

/** One series for each measure, of all operations together. */
export function seriesByMeasure(answer: QueryAnswer, measures: readonly Measure[], labels: Partial<Record<Measure, string>> = {}): Series[] {
  const [group] = answer.groups;
  return measures.map((measure, index) => ({
    key: measure,
    label: labels[measure] ?? labelOf(measure),
    colour: seriesColour(index),
    values: knownValues(measure, group?.series),
    total: said(measure, group?.totals),
  }));
}

/** What the groups that were left out have together. */
export function restSeries(parts: readonly Series[], whole: QueryAnswer, measure: Measure): Series {
  const [group] = whole.groups;
  return { key: "rest", label: "everything else", colour: "var(--series-rest)", values: restOf(group?.series?.[measure] ?? [], parts.map((part) => part.values)) };
}

/** The previous period, step by step beside the present one. */
export function previousSeries(answer: QueryAnswer, measure: Measure, steps: number, label = "previous period"): Series {
  const values = answer.groups[0]?.series?.[measure] ?? [];
  return {
    key: `previous-${measure}`,
    label,
    colour: "var(--muted)",
    isDashed: true,
    values: Array.from({ length: steps }, (_, step) => values[step] ?? null),
    total: said(measure, answer.groups[0]?.totals),
  };
}

export function items(answer: QueryAnswer, measure: Measure, aside?: (group: QueryGroup) => string): Item[] {
  const dimension = named(answer);
  if (!dimension) return [];
  const [other] = answer.dimensions.length > 1 ? answer.dimensions : [];
  return answer.groups.map((group) => {
    const value = group.dimensions[dimension] ?? null;
    return {
      key: keyOf(group),
      label: valueName(dimension, value),
      note: other ? valueName(other, group.dimensions[other] ?? null) : undefined,
      colour: colourOf(dimension, value),
      value: toHeight(group.totals[measure]),
      ...said(measure, group.totals),
      aside: aside?.(group),
      choose: () => place.toggle(dimension, value),
      isChosen: place.isChosen(dimension, value),
    };
  });
}

/** Steps down, series across. Both ends in the zone of the answer, with its distance from UTC. */
export function stepTable(answer: QueryAnswer, series: readonly Series[]): Table {
  return {
    columns: ["start", "end", ...series.map((one) => one.label)],
    rows: (answer.steps ?? []).map((step, at) => [step.start_local, isoLocal(Date.parse(step.end), answer.zone), ...series.map((one) => one.values[at] ?? null)]),
  };
}

/** Groups down, dimensions and measures across. */
export function groupTable(answer: QueryAnswer, measures: readonly Measure[]): Table {
  return {
    columns: [...answer.dimensions, ...measures],
    rows: answer.groups.map((group) => [
      ...answer.dimensions.map((dimension) => group.dimensions[dimension] ?? null),
      ...measures.map((measure) => group.totals[measure] ?? null),
    ]),
  };
}

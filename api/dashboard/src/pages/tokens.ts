// Kinds of tokens, as they stand on each other. Pure.
import type { QueryAnswer } from "../api/query";
import type { Series } from "../charts/series";
import { exact, glance, type Value } from "../numbers/measures";

/** Of an answer with input, cache reads and output of everything together. Cache reads are part of the input. */
export function kinds(answer: QueryAnswer): Series[] {
  const [group] = answer.groups;
  const cached = group?.series?.cache_read_tokens ?? [];
  const fresh = (group?.series?.input_tokens ?? []).map((value, step) => Number(value) - Number(cached[step] ?? 0));
  const cachedTotal = Number(group?.totals.cache_read_tokens ?? 0);
  return [
    seriesOf("fresh", "input, not cached", "var(--series-1)", fresh, Number(group?.totals.input_tokens ?? 0) - cachedTotal),
    seriesOf("cached", "input from caches", "var(--series-6)", cached, cachedTotal),
    seriesOf("output", "output", "var(--series-2)", group?.series?.output_tokens ?? [], Number(group?.totals.output_tokens ?? 0)),
  ];
}

function seriesOf(key: string, label: string, colour: string, values: readonly Value[], total: number): Series {
  return { key, label, colour, values, total: { text: glance("input_tokens", total), exact: exact("input_tokens", total) } };
}

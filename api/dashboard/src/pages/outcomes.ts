// Operations that succeeded and those that failed, as they stand on each other.
import type { QueryAnswer } from "../api/query";
import type { Series } from "../charts/series";
import { exact, glance } from "../numbers/measures";
import { place } from "../state/place.svelte";

/** Of an answer with `operations` and `failures` of everything together. */
export function outcomes(answer: QueryAnswer): Series[] {
  const [group] = answer.groups;
  const failures = group?.series?.failures ?? [];
  const succeeded = (group?.series?.operations ?? []).map((value, step) => Number(value) - Number(failures[step] ?? 0));
  const failed = Number(group?.totals.failures ?? 0);
  const said = (value: number) => ({ text: glance("operations", value), exact: exact("operations", value) });
  const filter = (value: string) => ({ choose: () => place.toggle("outcome", value), isChosen: place.isChosen("outcome", value) });
  return [
    { key: "succeeded", label: "succeeded", colour: "var(--series-1)", values: succeeded, total: said(Number(group?.totals.operations ?? 0) - failed), ...filter("success") },
    { key: "failed", label: "failed", colour: "var(--series-bad)", values: failures, total: said(failed), ...filter("failure") },
  ];
}

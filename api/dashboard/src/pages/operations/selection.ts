// Which operations the filters of a view choose. Pure.
import type { Parameters } from "../../api/client";
import { FILTERS } from "../../api/dimensions";
import type { View } from "../../state/view";
import type { Span } from "../../time/range";

/** What the server is asked for: operations of a period that have any of the values of each filter, so many at most. */
export function selectionOf(filters: View["filters"], span: Span, limit: number): Parameters {
  const period: [string, string][] = [["from", new Date(span.from).toISOString()], ["to", new Date(span.to).toISOString()], ["limit", String(limit)]];
  return [...period, ...FILTERS.flatMap((name) => (filters[name] ?? []).map((value): [string, string] => [name, value]))];
}

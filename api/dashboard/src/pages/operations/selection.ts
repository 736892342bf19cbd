// Which operations the filters of a view choose. Pure.
import type { Parameters } from "../../api/client";
import { NAMES } from "../../api/dimensions";
import type { View } from "../../state/view";
import type { Span } from "../../time/range";

/** What the server is asked for: operations of a period that have any of the values of each filter, so many at most. */
export function selectionOf(filters: View["filters"], span: Span, limit: number): Parameters {
  const period: [string, string][] = [["from", new Date(span.from).toISOString()], ["to", new Date(span.to).toISOString()], ["limit", String(limit)]];
  // Both outcomes are all operations, which the server takes no word for.
  const chosen = NAMES.map((name) => ({ name, values: filters[name] ?? [] })).filter(({ name, values }) => name !== "success" || values.length === 1);
  return [...period, ...chosen.flatMap(({ name, values }) => values.map((value): [string, string] => [name, value]))];
}

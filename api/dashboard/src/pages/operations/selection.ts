// Which operations the filters of a view choose. Pure.
import type { Parameters } from "../../api/client";
import { dimensionOf, FILTERS, tagKey, type Dimension, type FilterName } from "../../api/dimensions";
import type { View } from "../../state/view";
import type { Span } from "../../time/range";

/** What the list of the server cannot be filtered by: the page leaves those out that do not pass. */
const LEFT_TO_THE_PAGE: readonly FilterName[] = ["http_status", "processing", "price_model", "tag"];

/** What the server is asked for: operations of a period that have any of the values of each filter, so many at most. */
export function selectionOf(filters: View["filters"], span: Span, limit: number): Parameters {
  const period: [string, string][] = [["from", new Date(span.from).toISOString()], ["to", new Date(span.to).toISOString()], ["limit", String(limit)]];
  return [...period, ...FILTERS.filter((name) => !LEFT_TO_THE_PAGE.includes(name)).flatMap((name) => chosen(name, filters[name] ?? []))];
}

function chosen(name: FilterName, values: readonly string[]): [string, string][] {
  if (name !== "outcome") return values.map((value) => [name, value]);
  // Both outcomes are all operations, which the server takes no word for.
  const [one, ...others] = values;
  return one === undefined || others.length > 0 ? [] : [["success", String(one === "success")]];
}

/** Whether rows of the answer have to be looked at one by one. */
export function isLeftToThePage(filters: View["filters"]): boolean {
  return LEFT_TO_THE_PAGE.some((name) => (filters[name]?.length ?? 0) > 0);
}

/** Whether a row passes the filters that the server was not asked for: any value of a filter, and of each key of tags. */
export function passes(operation: object, filters: View["filters"]): boolean {
  const wanted = new Map<Dimension, string[]>();
  for (const name of LEFT_TO_THE_PAGE) {
    for (const value of filters[name] ?? []) {
      const { dimension, value: text } = dimensionOf(name, value);
      wanted.set(dimension, [...(wanted.get(dimension) ?? []), text]);
    }
  }
  return [...wanted].every(([dimension, values]) => values.includes(valueOf(operation as Record<string, unknown>, dimension)));
}

function valueOf(operation: Record<string, unknown>, dimension: Dimension): string {
  const key = tagKey(dimension);
  const tags = operation.tags;
  const value = key === undefined ? operation[dimension] : typeof tags === "object" && tags !== null ? (tags as Record<string, unknown>)[key] : undefined;
  return value === undefined || value === null ? "" : String(value);
}

// Which colour a value has: the same in every chart, for as long as the page is open.
import { OTHER, type Dimension } from "../api/dimensions";

/** How many there are in theme.css. */
const PALETTE = 10;

const taken = new Map<Dimension, Map<string, number>>();

/** A colour as CSS writes it. Values of the rest and none are grey. */
export function colourOf(dimension: Dimension, value: string | null): string {
  if (value === null || value === "") return "var(--series-none)";
  if (value === OTHER) return "var(--series-rest)";
  let values = taken.get(dimension);
  if (!values) taken.set(dimension, (values = new Map()));
  let index = values.get(value);
  if (index === undefined) values.set(value, (index = values.size));
  return seriesColour(index);
}

/** The n-th colour, from 0. */
export function seriesColour(index: number): string {
  return `var(--series-${(index % PALETTE) + 1})`;
}

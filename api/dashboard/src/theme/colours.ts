// Which colour a value has: the same in every chart, for as long as the page is open. The value chooses it; only where another value of
// the dimension has it already, it is the next free one, which depends on the order in which they came.
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
  if (index === undefined) values.set(value, (index = slotOf(value, new Set(values.values()))));
  return seriesColour(index);
}

/** Of the colours from 0, the one that a value chooses, or the next that is free; its own where none is. */
export function slotOf(value: string, used: ReadonlySet<number>): number {
  const own = hash(value) % PALETTE;
  for (let step = 0; step < PALETTE; step += 1) {
    const slot = (own + step) % PALETTE;
    if (!used.has(slot)) return slot;
  }
  return own;
}

/** FNV-1a, of UTF-16. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) state = Math.imul(state ^ text.charCodeAt(at), 0x01000193);
  // Its low bits alone are alike for texts that are alike.
  return (state ^ (state >>> 15)) >>> 0;
}

/** The n-th colour, from 0. */
export function seriesColour(index: number): string {
  return `var(--series-${(index % PALETTE) + 1})`;
}

// Which operations the filters of a view choose. Pure.
import { NAMES, type Dimension } from "../../api/dimensions";
import type { View } from "../../state/view";

export interface Selection {
  /** What the server is asked for: it takes one value of each. */
  parameters: [string, string][];
  /** Filters with several values, which are looked for in what the server answers. */
  several: Partial<Record<Dimension, readonly string[]>>;
}

export function selectionOf(filters: View["filters"]): Selection {
  const selection: Selection = { parameters: [], several: {} };
  for (const name of NAMES) {
    const values = filters[name] ?? [];
    const [only] = values;
    if (values.length === 1 && only !== undefined) selection.parameters.push([name, only]);
    else if (values.length > 1) selection.several[name] = values;
  }
  return selection;
}

/** Whether an operation has one of the values of each filter; "" is none. */
export function isChosen(operation: object, several: Selection["several"]): boolean {
  return Object.entries(several).every(([name, values]) => values.includes(String((operation as Record<string, unknown>)[name] ?? "")));
}

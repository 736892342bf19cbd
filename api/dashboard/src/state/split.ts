// A dimension that stands in the address as an option of a page.
import { isDimension, OPEN, tagKey, type Dimension } from "../api/dimensions";
import { place } from "./place.svelte";

/** The chosen one, if it is among those that can be; tags and what is counted from files always can. */
export function splitOf(option: string, among: readonly Dimension[], unless: Dimension): Dimension {
  const chosen = place.option(option) ?? "";
  return isDimension(chosen) && (among.includes(chosen) || (OPEN as readonly Dimension[]).includes(chosen) || tagKey(chosen) !== undefined) ? chosen : unless;
}

// What surrounds a panel and makes it another than those of the page: filters and a name of its own.
import { getContext, setContext } from "svelte";
import type { View } from "./view";

export interface PanelFrame {
  /** Unique on the page. */
  readonly id: string;
  /** In place of the page's. */
  readonly filters: View["filters"];
}

const KEY = Symbol("frame of a panel");

/** Call it while the component around a panel begins. */
export function surround(frame: PanelFrame): void {
  setContext(KEY, frame);
}

export function frameHere(): PanelFrame | undefined {
  return getContext<PanelFrame | undefined>(KEY);
}

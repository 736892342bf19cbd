// What charts draw.
import type { Value } from "../numbers/measures";

/** One line, or one layer of bars. */
export interface Series {
  key: string;
  label: string;
  /** As CSS writes it. */
  colour: string;
  /** One value for each step; null where nothing is known. */
  values: readonly Value[];
  /** What the whole range amounts to, as the legend shows it. */
  total?: { text: string; exact: string } | undefined;
  /** Filters by it, or stops to. */
  choose?: (() => void) | undefined;
  isChosen?: boolean | undefined;
  isDashed?: boolean | undefined;
}

/** One part of a whole, or one bar. */
export interface Item {
  key: string;
  label: string;
  /** What stands small beside the label. */
  note?: string | undefined;
  colour: string;
  /** Length or share; null where nothing is known. */
  value: number | null;
  text: string;
  exact: string;
  /** What else is said of it, at the end. */
  aside?: string | undefined;
  choose?: (() => void) | undefined;
  isChosen?: boolean | undefined;
}

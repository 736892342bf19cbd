// Sums of what is shown together. Pure.
import { sum, toText } from "../numbers/decimal";
import type { Value } from "../numbers/measures";

/** Of measures that can be added up; unknown ones add nothing. Money stays exact. */
export function totalOf(values: readonly Value[]): Value {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return null;
  if (known.every((value) => typeof value === "string")) return toText(sum(known));
  return known.reduce((all: number, value) => all + Number(value), 0);
}

/** What is left of a whole when its parts are taken away, for the groups that an answer left out. */
export function restOf(whole: readonly Value[], parts: readonly (readonly Value[])[]): Value[] {
  return whole.map((value, step) => {
    if (value === null) return null;
    const taken = totalOf(parts.map((part) => part[step] ?? null));
    if (typeof value === "string") return toText(sum([value, negated(String(taken ?? "0"))]));
    return value - Number(taken ?? 0);
  });
}

function negated(text: string): string {
  return text.startsWith("-") ? text.slice(1) : `-${text}`;
}

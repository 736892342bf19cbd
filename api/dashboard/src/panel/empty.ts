// What a panel says that has nothing to draw. Pure.
import type { QueryAnswer } from "../api/query";
import { labelOf, type Measure } from "../numbers/measures";
import { besideMoney } from "./said";

export function emptyText(answer: QueryAnswer | undefined, measure: Measure): string {
  const groups = answer ? [...answer.groups, ...(answer.others ? [answer.others] : [])] : [];
  const has = groups.some(({ totals }) => Number(totals.operations ?? 0) > 0) || (answer?.dimensions.length ?? 0) > 0 && groups.length > 0;
  if (!has || measure === "operations") return "No operations in this range.";
  if (besideMoney([measure]).length > 0) return "These operations cost nothing that is known.";
  return `Nothing of ${labelOf(measure).toLowerCase()} is known of these operations.`;
}

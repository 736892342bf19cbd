// Steps of which not everything is in a chart, and why. Pure.
import type { Step } from "../api/query";

/** What is in the numbers of a chart: a range, and operations up to a moment, where that is known. */
export interface Coverage {
  from: string;
  to: string;
  complete_to?: string | null;
}

/** What is said of a step that is not whole; "" of one that is. */
export function partial(step: Pick<Step, "start" | "end">, { from, to, complete_to }: Coverage): string {
  const [start, end] = [Date.parse(step.start), Date.parse(step.end)];
  if (start < Date.parse(from)) return "from the beginning of the range on";
  // The end of a range that still runs is the next minute: what is missing is what has not happened yet.
  if (complete_to && end > Date.parse(complete_to)) return "so far";
  return end > Date.parse(to) ? "up to the end of the range" : "";
}

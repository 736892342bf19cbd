// Counts of steps as rates, whatever the width of a step is. Pure.
import type { QueryAnswer } from "../api/query";
import type { Measure, Value } from "../numbers/measures";

export function perMinute(answer: QueryAnswer, measure: Measure): Value[] {
  return rates(answer, measure, 60_000);
}

export function perSecond(answer: QueryAnswer, measure: Measure): Value[] {
  return rates(answer, measure, 1_000);
}

function rates(answer: QueryAnswer, measure: Measure, unitMs: number): Value[] {
  const values = answer.groups[0]?.series?.[measure] ?? [];
  const [from, to] = [Date.parse(answer.from), Date.parse(answer.to)];
  return (answer.steps ?? []).map((step, at) => {
    const value = values[at] ?? null;
    // The range may cut the first and the last step: only what lies in it was counted.
    const millis = Math.min(Date.parse(step.end), to) - Math.max(Date.parse(step.start), from);
    return value === null || millis <= 0 ? null : (Number(value) * unitMs) / millis;
  });
}

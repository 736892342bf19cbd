// Whether there is anything to show: in the range, outside it, or nowhere yet. Asked only where the range is empty.
import { ask, type Schemas } from "../api/client";
import { askQuery, type QueryAnswer } from "../api/query";
import { asked, numbers, type Asked } from "../state/asked.svelte";
import { place } from "../state/place.svelte";
import { BEGINNING, type Span } from "../time/range";
import { DAY, HOUR, MINUTE } from "../time/zone";

export interface Existence {
  /** Of the range; it says how complete everything is, too. */
  readonly pulse: Asked<QueryAnswer>;
  readonly isFiltered: boolean;
  /** Operations that pass the filters at any time; none while the range has some, or nothing is known. */
  readonly elsewhere: number | undefined;
  /** Whether not a single operation has arrived. */
  readonly isNew: boolean;
}

/** Call it while a component begins. */
export function existence(): Existence {
  const pulse = numbers(() => ({ measures: ["operations"] }));
  const isEmpty = $derived(operationsOf(pulse) === 0);
  const isFiltered = $derived(Object.keys(place.filters).length > 0);
  const span = $derived({ from: BEGINNING, to: (Math.floor(place.now / MINUTE) + 1) * MINUTE });
  const ever = numbers(() => (isEmpty ? { measures: ["operations"], span } : undefined));
  const newest = asked<Schemas["OperationsAnswer"]>(() => {
    if (!isEmpty || isFiltered) return undefined;
    void place.now;
    return { subject: "newest", ask: () => ({ answer: ask("v1/operations", [["limit", "1"]]), leave: () => undefined }) };
  });
  findFirst();
  return {
    pulse,
    get isFiltered() {
      return isFiltered;
    },
    get elsewhere() {
      return isEmpty ? operationsOf(ever) : undefined;
    },
    get isNew() {
      // Rows are there a moment before windows count them.
      return isEmpty && !isFiltered && operationsOf(ever) === 0 && newest.answer?.operations.length === 0;
    },
  };
}

/** All time begins with the day of the first operation: its month is looked for, then the day in it. */
function findFirst(): void {
  const steps = (resolution: "month" | "day", span: () => Span | undefined) =>
    asked<QueryAnswer>(() => {
      const { range } = place.view;
      const wanted = span();
      if (!("name" in range) || range.name !== "all" || place.first !== undefined || !wanted) return undefined;
      return { subject: resolution, ask: () => askQuery({ measures: ["operations"], resolution, span: wanted, zone: "UTC", filters: {} }) };
    });
  const today = $derived((Math.floor(place.now / DAY) + 1) * DAY);
  const months = steps("month", () => ({ from: BEGINNING, to: today }));
  const month = $derived(months.answer && firstStep(months.answer));
  const days = steps("day", () => month && { from: month.from, to: Math.min(month.to, today) });
  $effect(() => {
    if (months.answer && !month) place.first = place.now - HOUR;
    const day = days.answer && firstStep(days.answer);
    if (day) place.first = day.from;
  });
}

/** The first step that has operations. */
function firstStep(answer: QueryAnswer): Span | undefined {
  const counts = answer.groups[0]?.series?.operations ?? [];
  const step = answer.steps?.[counts.findIndex((value) => Number(value) > 0)];
  return step && { from: Math.max(Date.parse(step.start), BEGINNING), to: Date.parse(step.end) };
}

function operationsOf(state: Asked<QueryAnswer>): number | undefined {
  if (!state.answer) return undefined;
  return Number(state.answer.groups[0]?.totals.operations ?? 0);
}

// Lists of sessions and traces. The first lines follow the time; whoever reads on behind them keeps them as they are.
import { ask, reasonOf, TokenNeeded, type Parameters, type Schemas } from "../api/client";
import { filterParameters, spanParameters } from "../api/query";
import { inTurn } from "../api/turns";
import type { Asked } from "../state/asked.svelte";
import { fetched } from "../state/fetched.svelte";
import { place } from "../state/place.svelte";
import { session } from "../state/session.svelte";
import { chosenOrder } from "./orders";

export type Overview = Schemas["Overview"];
type Answer = Schemas["OverviewsAnswer"];

export const LINES = 500;
/** Most lines of a file. */
export const LINES_OF_FILE = 100_000;

/** What was read behind the first lines of an answer. */
interface Further {
  subject: string;
  lines: readonly Overview[];
  last: Answer;
}

export class Overviews {
  readonly first: Asked<Answer>;
  isLoading: boolean = $state(false);
  failure: string = $state("");
  private further: Further | undefined = $state.raw();
  private readonly abort = new AbortController();
  /** What is listed, whenever that is. */
  private readonly subject: string;
  readonly isHeld: boolean;
  readonly lines: readonly Overview[];
  /** The answer whose lines come last. */
  readonly last: Answer | undefined;

  /** Call it while a component begins. */
  constructor(private readonly what: "sessions" | "traces") {
    $effect(() => () => this.abort.abort());
    this.subject = $derived(JSON.stringify([place.scope, chosenOrder()]));
    this.isHeld = $derived(this.further?.subject === this.subject);
    this.first = fetched<Answer>(() => {
      const { slowPeriod: period, filters, zone } = place;
      if (!period || this.isHeld) return undefined;
      const parameters = [...spanParameters(period, zone), ...filterParameters(filters), ...this.parameters()];
      return { path: `v1/${what}`, parameters, isOfFiles: true, subject: this.subject };
    });
    this.lines = $derived([...this.linesOf(this.first.answer), ...(this.isHeld ? (this.further?.lines ?? []) : [])]);
    this.last = $derived(this.isHeld ? this.further?.last : this.first.answer);
  }

  /** Reads on behind the last line. */
  async more(): Promise<void> {
    const [first, last, subject] = [this.first.answer, this.last, this.subject];
    if (!first?.from || !first.to || !last?.next_cursor || this.isLoading || this.first.isStale) return;
    const before = this.isHeld ? (this.further?.lines ?? []) : [];
    this.isLoading = true;
    this.failure = "";
    this.further = { subject, lines: before, last };
    // The same moments as the first lines: others would move what stands in them.
    const span = { from: Date.parse(first.from), to: Date.parse(first.to) };
    const parameters: Parameters = [...spanParameters(span, place.zone), ...filterParameters(place.filters), ...this.parameters(), ["cursor", last.next_cursor]];
    const { signal } = this.abort;
    try {
      const answer = await inTurn(() => ask<Answer>(`v1/${this.what}`, parameters, signal), signal);
      if (this.further.subject === subject) this.further = { subject, lines: [...before, ...this.linesOf(answer)], last: answer };
    } catch (error) {
      if (error instanceof TokenNeeded) session.needsToken = true;
      else if (!signal.aborted) this.failure = reasonOf(error);
    } finally {
      this.isLoading = false;
    }
  }

  /** Shows the first lines alone again, as they are now. */
  follow(): void {
    this.further = undefined;
    this.failure = "";
    place.refresh(true);
  }

  private parameters(): Parameters {
    return [["order", chosenOrder()], ["limit", String(LINES)]];
  }

  private linesOf(answer: Answer | undefined): readonly Overview[] {
    return answer?.[this.what] ?? [];
  }
}

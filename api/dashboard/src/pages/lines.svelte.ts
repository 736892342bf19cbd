// Lists of sessions and traces. The first lines follow the time; whoever reads on behind them keeps them as they are.
import { untrack } from "svelte";
import { ask, reasonOf, TokenNeeded, type Parameters, type Schemas } from "../api/client";
import { filterParameters, spanParameters } from "../api/query";
import { inTurn } from "../api/turns";
import type { Asked } from "../state/asked.svelte";
import { fetched } from "../state/fetched.svelte";
import { place } from "../state/place.svelte";
import { session } from "../state/session.svelte";
import type { Span } from "../time/range";
import { chosenOrder } from "./orders";

/** A session or trace in one line. */
export type Line = Schemas["Overview"];
type Answer = Schemas["OverviewsAnswer"];

export const LINES = 500;
/** Most lines of a file. */
export const LINES_OF_FILE = 100_000;

/** First lines that stay, and what was read behind them. */
interface Held {
  first: Answer;
  /** When the first lines were asked for. */
  at: number;
  further: readonly Line[];
  /** The answer whose lines come last. */
  last: Answer;
}

export class Lines {
  readonly first: Asked<Answer>;
  isLoading: boolean = $state(false);
  failure: string = $state("");
  held: Held | undefined = $state.raw();
  readonly lines: readonly Line[];
  /** Lines behind those that are shown. */
  readonly left: number;
  private reading = new AbortController();

  /** Call it while a component begins. */
  constructor(private readonly what: "sessions" | "traces") {
    const one = { sessions: "session", traces: "trace" }[what];
    const listed = $derived(JSON.stringify([place.scope, chosenOrder()]));
    this.first = fetched<Answer>(() => {
      const { slowPeriod: period, filters, zone } = place;
      const parameters = this.parameters();
      // Nobody sees the list while one of its lines is looked at.
      if (!period || this.held || place.option(one) !== undefined) return undefined;
      return { path: `v1/${what}`, parameters: [...spanParameters(period, zone), ...filterParameters(filters), ...parameters], isOfFiles: true, subject: listed };
    });
    // What is held is of one range, filter and order, and of a component that is there.
    $effect(() => {
      void listed;
      return () => untrack(() => this.letGo());
    });
    this.lines = $derived([...this.linesOf(this.held?.first ?? this.first.answer), ...(this.held?.further ?? [])]);
    this.left = $derived((this.held?.last ?? this.first.answer)?.left_out ?? 0);
  }

  /** Reads on behind the last line. */
  async more(): Promise<void> {
    const first = this.held?.first ?? this.first.answer;
    if (!first || this.isLoading || (!this.held && this.first.isStale)) return;
    const held = (this.held ??= { first, at: place.slow, further: [], last: first });
    const { span } = this;
    const cursor = held.last.next_cursor;
    if (!span || !cursor) return;
    this.isLoading = true;
    this.failure = "";
    // The same moments as the first lines: others would move what stands in them.
    const parameters: Parameters = [...spanParameters(span, place.zone), ...filterParameters(place.filters), ...this.parameters(), ["cursor", cursor]];
    const { signal } = this.reading;
    try {
      const last = await inTurn(() => ask<Answer>(`v1/${this.what}`, parameters, signal), signal);
      if (!signal.aborted) this.held = { ...held, further: [...held.further, ...this.linesOf(last)], last };
    } catch (error) {
      if (error instanceof TokenNeeded) session.needsToken = true;
      else if (!signal.aborted) this.failure = reasonOf(error);
    } finally {
      if (!signal.aborted) this.isLoading = false;
    }
  }

  /** The range that is listed, for files of it. */
  get span(): Span | undefined {
    const answer = this.held?.first ?? this.first.answer;
    return answer?.from && answer.to ? { from: Date.parse(answer.from), to: Date.parse(answer.to) } : undefined;
  }

  /** Shows the first lines alone again, as they are now. */
  follow(): void {
    this.letGo();
    place.refresh(true);
  }

  private letGo(): void {
    this.reading.abort();
    this.reading = new AbortController();
    this.held = undefined;
    this.isLoading = false;
    this.failure = "";
  }

  private parameters(): Parameters {
    return [["order", chosenOrder()], ["limit", String(LINES)]];
  }

  private linesOf(answer: Answer | undefined): readonly Line[] {
    return answer?.[this.what] ?? [];
  }
}

// What a part of the page has asked for: the last answer stays while the next one is under way or fails.
import { reasonOf, Refused, TokenNeeded, type Parameters } from "../api/client";
import { askQuery, needsFiles, parametersOf, type QueryAnswer, type Question } from "../api/query";
import { frameHere } from "./frame";
import { place } from "./place.svelte";
import { session } from "./session.svelte";

interface Asking<T> {
  /** Answers with the same subject follow each other in time; another subject is another picture. */
  subject: string;
  ask: () => { answer: Promise<T>; leave: () => void };
  /** The same question as the server is asked it, where it can make a file of the answer. */
  parameters?: Parameters;
}

export class Asked<T> {
  answer: T | undefined = $state.raw();
  /** Why there is no newer answer; "" when there is one. */
  failure: string = $state("");
  /** The server's code for it, when it has one. */
  code: string = $state("");
  /** Whether the answer belongs to another subject than what is asked for now. */
  isStale: boolean = $state(false);
  /** What `v1/query` was asked last. */
  parameters: Parameters | undefined = $state.raw();
  /** Counts what was asked again by hand. */
  attempts: number = $state(0);
  private subject: string | undefined;

  /** Asks again, after a failure. */
  retry(): void {
    this.failure = "";
    this.attempts += 1;
  }

  follow(asking: Asking<T>): () => void {
    if (this.subject !== undefined && this.subject !== asking.subject) {
      this.isStale = true;
      // It was about another question.
      this.failure = "";
    }
    this.subject = asking.subject;
    this.parameters = asking.parameters;
    const { answer, leave } = asking.ask();
    let isWanted = true;
    answer.then(
      (value) => {
        if (!isWanted) return;
        this.answer = value;
        this.failure = "";
        this.isStale = false;
      },
      (error: unknown) => {
        if (!isWanted) return;
        if (error instanceof TokenNeeded) session.needsToken = true;
        else {
          this.failure = reasonOf(error);
          this.code = error instanceof Refused ? error.code : "";
        }
      },
    );
    return () => {
      isWanted = false;
      leave();
    };
  }
}

/** Asks whenever what `asking` reads changes; none means that there is nothing to ask yet. Call it while a component begins. */
export function asked<T>(asking: () => Asking<T> | undefined): Asked<T> {
  const state = new Asked<T>();
  $effect(() => {
    const next = asking();
    void state.attempts;
    void session.tokens;
    if (next) return state.follow(next);
    return undefined;
  });
  return state;
}

/** What a part asks for beside what the view says. */
export type Wanted = Omit<Question, "span" | "zone" | "filters" | "resolution"> & {
  /** Asks for steps as wide as the period's. */
  hasSteps?: boolean;
} & Partial<Pick<Question, "span" | "filters" | "resolution">>;

/** Numbers of the present period, or of the one before it. */
export function numbers(wanted: () => Wanted | undefined, which: "present" | "previous" = "present"): Asked<QueryAnswer> {
  const frame = frameHere();
  return asked(() => {
    const { scope } = place;
    const filters = frame ? frame.filters : place.filters;
    const want = wanted();
    if (!want) return undefined;
    const { hasSteps, ...rest } = want;
    // A span of its own follows no clock of the page.
    const isOwn = want.span !== undefined && (!hasSteps || want.resolution !== undefined);
    const period = isOwn ? undefined : needsFiles({ filters, ...want }) ? place.slowPeriod : place.period;
    const span = want.span ?? (which === "present" ? period : period?.previous);
    const resolution = hasSteps ? (want.resolution ?? period?.resolution) : undefined;
    if (!span || (hasSteps && !resolution)) return undefined;
    const steps = resolution ? { resolution } : {};
    const question: Question = { filters, ...rest, ...steps, span: { from: span.from, to: span.to }, zone: place.zone };
    const subject = JSON.stringify([{ ...question, span: undefined }, scope, which]);
    return { subject, ask: () => askQuery(question), parameters: parametersOf(question) };
  });
}

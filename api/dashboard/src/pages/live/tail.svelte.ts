// What arrives on the topic, as it arrives: the newest operations, and how many there were each second.
import { reasonOf, Refused, TokenNeeded, type Parameters } from "../../api/client";
import { follow, waitBefore, type ServerEvent } from "../../api/events";
import { session } from "../../state/session.svelte";
import type { Operation } from "../operations/listing.svelte";

/** More are not kept: what is older is on the page of operations. */
export const KEPT = 500;
export const SECONDS = 120;

/** What the topic had in a second, of those that pass the filters. */
export interface LiveRates {
  at: string;
  operations: number;
  failures: number;
  input_tokens: number;
  output_tokens: number;
}

export class Tail {
  /** The newest first. */
  operations: Operation[] = $state.raw([]);
  /** The oldest first; a second without an answer is absent. */
  rates: LiveRates[] = $state.raw([]);
  /** Operations that passed the filters and were not sent. */
  skipped: number = $state(0);
  /** What the server said when it lost its place, the newest first. */
  gaps: { at: number; message: string }[] = $state.raw([]);
  status: "connecting" | "open" | "waiting" | "refused" = $state("connecting");
  failure: string = $state("");
  /** Operations that came while the list was held. */
  held: number = $state(0);
  private isHeld = false;
  private buffer: Operation[] = [];
  private drawing: number | undefined;
  private readonly abort = new AbortController();

  constructor(private readonly parameters: Parameters) {
    void this.run();
  }

  /** The list stays as it is while it is held; what comes is counted and shown afterwards. */
  hold(isHeld: boolean): void {
    this.isHeld = isHeld;
    if (!isHeld) this.show();
    else this.held = this.buffer.length;
  }

  stop(): void {
    this.abort.abort();
    cancelAnimationFrame(this.drawing ?? 0);
  }

  private async run(): Promise<void> {
    const { signal } = this.abort;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      try {
        this.status = "connecting";
        await follow("v1/live", this.parameters, signal, () => (this.status = "open"), (event) => {
          attempt = 0;
          this.take(event);
        });
        this.failure = "the stream ended";
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof TokenNeeded) {
          session.needsToken = true;
          return;
        }
        this.failure = reasonOf(error);
        // What the server will never answer is not asked again.
        if (error instanceof Refused && error.status < 500 && error.status !== 429) {
          this.status = "refused";
          return;
        }
      }
      this.status = "waiting";
      const seconds = waitBefore(attempt, Math.random());
      await new Promise((done) => setTimeout(done, seconds * 1000));
    }
  }

  private take({ name, data }: ServerEvent): void {
    const value = JSON.parse(data) as unknown;
    if (name === "operation") this.arrived(value as Operation);
    else if (name === "rates") this.rates = [...this.rates.slice(1 - SECONDS), value as LiveRates];
    else if (name === "skipped") this.skipped += (value as { operations: number }).operations;
    else if (name === "gap") this.gaps = [{ at: Date.now(), message: (value as { message: string }).message }, ...this.gaps].slice(0, 5);
  }

  private arrived(operation: Operation): void {
    this.buffer.push(operation);
    if (this.buffer.length > KEPT) this.buffer.shift();
    if (this.isHeld) this.held += 1;
    // Hundreds may come in a turn: they are drawn together.
    else this.drawing ??= requestAnimationFrame(() => this.show());
  }

  private show(): void {
    this.drawing = undefined;
    if (this.isHeld) return;
    // A stream that was lost may send some of them again.
    const known = new Set<string | undefined>();
    this.operations = [...this.buffer.reverse(), ...this.operations].filter(({ operation_id: id }) => !known.has(id) && known.add(id)).slice(0, KEPT);
    this.buffer = [];
    this.held = 0;
  }
}

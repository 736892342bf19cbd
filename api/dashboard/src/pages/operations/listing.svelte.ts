// Single operations in an order, page by page.
import { ask, reasonOf, TokenNeeded, type Parameters, type Schemas } from "../../api/client";
import type { Origin } from "../../panel/notes";
import { asked, type Asked } from "../../state/asked.svelte";
import { place } from "../../state/place.svelte";
import { inTurn } from "../../api/turns";
import { session } from "../../state/session.svelte";
import type { View } from "../../state/view";
import type { Span } from "../../time/range";
import { isByTime, parametersOf, type Order } from "./order";
import { selectionOf } from "./selection";

export type Operation = Schemas["StoredOperation"];
type Page = Schemas["OperationsAnswer"];

const PAGE = 200;
/** Where the server found little in pages, so many are asked for before the reader is. */
const MOST_PAGES = 10;

/** The newest operations, asked for again as time goes on. */
export function firstPage(limit: number): Asked<Page> {
  return asked<Page>(() => {
    const { period, filters, scope } = place;
    if (!period) return undefined;
    const parameters = selectionOf(filters, period, limit);
    return {
      subject: scope,
      ask: () => {
        const abort = new AbortController();
        return { answer: ask<Page>("v1/operations", parameters, abort.signal), leave: () => abort.abort() };
      },
    };
  });
}

/** All of them, as far as the reader goes. It begins with a moment and stays with it: rows do not move while they are read. */
export class Listing {
  operations: Operation[] = $state.raw([]);
  /** Where the next page begins; null behind the last one. */
  next: string | null | undefined = $state();
  isLoading: boolean = $state(false);
  failure: string = $state("");
  /** What the first page says of itself: none of the others is less complete. */
  origin: Origin | undefined = $state.raw();
  /** Whether so little was found that the reader is asked before more is read. */
  isThin: boolean = $state(false);
  private readonly selection: Parameters;
  private readonly abort = new AbortController();

  /** Other orders than that of time are read from files. */
  constructor(
    span: Span,
    filters: View["filters"],
    private readonly order: Order,
  ) {
    this.selection = [...selectionOf(filters, span, PAGE), ...parametersOf(order)];
  }

  /** Reads on, until there are some more rows or none are left. */
  async more(): Promise<void> {
    if (this.isLoading || this.next === null) return;
    this.isLoading = true;
    this.failure = "";
    try {
      const before = this.operations.length;
      const enough = () => this.next === null || this.operations.length >= before + PAGE / 4;
      for (let page = 0; page < MOST_PAGES && !enough(); page += 1) await this.read();
      this.isThin = !enough();
    } catch (error) {
      if (error instanceof TokenNeeded) session.needsToken = true;
      else if (!this.abort.signal.aborted) this.failure = reasonOf(error);
    } finally {
      this.isLoading = false;
    }
  }

  stop(): void {
    this.abort.abort();
  }

  private async read(): Promise<void> {
    const cursor: Parameters = typeof this.next === "string" ? [["cursor", this.next]] : [];
    const { signal } = this.abort;
    const asking = () => ask<Page>("v1/operations", [...this.selection, ...cursor], signal);
    const page = await (isByTime(this.order) ? asking() : inTurn(asking, signal));
    signal.throwIfAborted();
    this.operations = [...this.operations, ...page.operations];
    this.next = page.next_cursor ?? null;
    this.origin ??= { complete_to: page.complete_to, source: page.scanned ? "files" : "the database", scanned: page.scanned };
  }
}

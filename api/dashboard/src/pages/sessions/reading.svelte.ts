// One session, read on as far as the reader goes.
import { ask, reasonOf, TokenNeeded, type Parameters, type Schemas } from "../../api/client";
import type { Origin } from "../../panel/notes";
import { costSoFar } from "./timeline";
import { patiently } from "../../api/turns";
import { session } from "../../state/session.svelte";

const PAGE = "1000";

export type SessionOperation = Schemas["StoredOperation"] & { cost_so_far_usd: string };

export class Reading {
  operations: SessionOperation[] = $state.raw([]);
  /** After which operation the next page begins; null behind the last one. */
  next: string | null | undefined = $state();
  workspace: string = $state("");
  /** What the first page says of itself: none of the others is less complete. */
  origin: Origin | undefined = $state.raw();
  failure: string = $state("");
  isLoading: boolean = $state(false);
  private readonly abort = new AbortController();

  constructor(
    private readonly id: string,
    private readonly of: string | undefined,
  ) {}

  async more(): Promise<void> {
    if (this.isLoading || this.next === null) return;
    this.isLoading = true;
    this.failure = "";
    const parameters: Parameters = [["limit", PAGE], ...(this.of === undefined ? [] : [["workspace", this.of] as const]), ...(typeof this.next === "string" ? [["after", this.next] as const] : [])];
    try {
      const page = await patiently(() => ask<Schemas["MembersAnswer"]>(`v1/sessions/${encodeURIComponent(this.id)}`, parameters, this.abort.signal), this.abort.signal);
      this.operations = [...this.operations, ...costSoFar(page.operations, this.operations.at(-1)?.cost_so_far_usd)];
      this.next = page.next_after ?? null;
      this.workspace = page.workspace;
      this.origin ??= page;
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
}

// Dead letters, the newest first, page by page, and those of them that are chosen.
import { ask, reasonOf, send, TokenNeeded, type Parameters, type Schemas } from "../../api/client";
import { session } from "../../state/session.svelte";

const PAGE = "200";
/** As many can be sent again at once. */
export const MOST = 1000;

type RedriveAnswer = Schemas["RedriveAnswer"];

export class Letters {
  list: Schemas["LetterHead"][] = $state.raw([]);
  next: string | null | undefined = $state();
  isLoading: boolean = $state(false);
  failure: string = $state("");
  chosen: ReadonlySet<string> = $state.raw(new Set());
  /** What became of those that were sent again last. */
  answer: RedriveAnswer | undefined = $state.raw();
  isSending: boolean = $state(false);
  private readonly abort = new AbortController();

  constructor(private readonly filter: Parameters) {}

  async more(): Promise<void> {
    if (this.isLoading || this.next === null) return;
    this.isLoading = true;
    await this.tried(async () => {
      const page = await ask<Schemas["DeadLettersAnswer"]>("v1/dead-letters", [...this.filter, ["limit", PAGE], ...(typeof this.next === "string" ? [["cursor", this.next] as const] : [])], this.abort.signal);
      this.list = [...this.list, ...page.letters];
      this.next = page.next_cursor ?? null;
    });
    this.isLoading = false;
  }

  toggle(id: string): void {
    const next = new Set(this.chosen);
    if (!next.delete(id)) next.add(id);
    this.chosen = next;
  }

  /** All that are listed and were not sent again yet, or none. */
  toggleAll(): void {
    this.chosen = this.chosen.size > 0 ? new Set() : new Set(this.list.filter(({ redriven_at: at }) => !at).slice(0, MOST).map(({ letter_id: id }) => id));
  }

  /** Sends the chosen ones again; those that were refused stay chosen. */
  async redrive(): Promise<void> {
    this.isSending = true;
    await this.tried(async () => {
      const letters = [...this.chosen];
      const answer = await send<RedriveAnswer>("POST", "v1/dead-letters/redrive", { letters }, this.abort.signal);
      this.answer = answer;
      const refused = new Set(answer.refused.map(({ letter_id: id }) => id));
      const now = new Date().toISOString();
      this.list = this.list.map((letter) => (letters.includes(letter.letter_id) && !refused.has(letter.letter_id) ? { ...letter, redriven_at: now } : letter));
      this.chosen = refused;
    });
    this.isSending = false;
  }

  stop(): void {
    this.abort.abort();
  }

  private async tried(work: () => Promise<void>): Promise<void> {
    this.failure = "";
    try {
      await work();
    } catch (error) {
      if (error instanceof TokenNeeded) session.needsToken = true;
      else if (!this.abort.signal.aborted) this.failure = reasonOf(error);
    }
  }
}

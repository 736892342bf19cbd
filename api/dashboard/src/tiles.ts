// The numbers at the top: what the range adds up to.
import type { Percentiles, Totals } from "./api";
import { Card } from "./card";
import { element } from "./element";
import { count, duration, exact, share, usd } from "./format";

export class Tiles {
  private readonly place = element("div", { class: "tiles" });
  readonly card = new Card("Totals", this.place);
  private readonly tiles = new Map<string, { value: HTMLElement; note: HTMLElement }>();

  constructor() {
    for (const name of ["Cost", "Operations", "Failures", "Latency (p95)", "Input tokens", "Output tokens"]) {
      const value = element("strong");
      const note = element("small");
      this.tiles.set(name, { value, note });
      this.place.append(element("div", { class: "tile" }, element("span", {}, name), value, note));
    }
  }

  show(totals: Totals, latency: Percentiles): void {
    this.card.explain(unattributedNote(totals.unattributed));
    this.set("Cost", usd(totals.cost_usd), costNote(totals));
    this.set("Operations", count(totals.operations), totals.operations >= 100_000 ? exact(totals.operations) : "");
    this.set("Failures", count(totals.failures), `${share(totals.failures, totals.operations)} of operations`);
    this.set("Latency (p95)", duration(latency.p95_us), latency.count > 0 ? `median ${duration(latency.p50_us)}` : "");
    this.set("Input tokens", count(totals.input_tokens), `${share(totals.cache_read_tokens, totals.input_tokens)} from caches`);
    this.set("Output tokens", count(totals.output_tokens), "");
  }

  private set(name: string, value: string, note: string): void {
    const tile = this.tiles.get(name);
    if (!tile) return;
    tile.value.textContent = value;
    tile.note.textContent = note;
  }
}

/** Why numbers behind a filter may be too small. */
export function unattributedNote(operations: number | undefined): string {
  if (!operations) return "";
  return `${exact(operations)} more operations may belong here: of a workspace, 2,000 combinations of values are kept apart per hour, and these are beyond.`;
}

function costNote(totals: Totals): string {
  const notes = [];
  if (totals.unpriced > 0) notes.push(`${count(totals.unpriced)} unpriced`);
  if (Number(totals.reported_cost_usd) > 0) notes.push(`${usd(totals.reported_cost_usd)} reported`);
  return notes.join(" · ");
}

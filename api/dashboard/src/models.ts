// What the range cost by model.
import type { Breakdown, BreakdownRow, LatencyGroups } from "./api";
import { Card } from "./card";
import { element } from "./element";
import { count, duration, share, usd } from "./format";
import { unattributedNote } from "./tiles";

/** In place of values beyond the combinations that are kept. */
const OTHER = "(other)";

export class Models {
  private readonly body = element("tbody");
  private readonly table = element("table", {}, element("thead", {}, element("tr", {}, ...heads())), this.body);
  readonly card = new Card("By model", element("div", { class: "scroll" }, this.table));
  private p95 = new Map<string, number | null>();

  /** Without `latencies` the table does without them. */
  show(answer: Breakdown, latencies: LatencyGroups | undefined): void {
    this.p95 = new Map(latencies?.groups.map((group) => [keyOf(group.dimensions), group.latency.p95_us]));
    const { rows, left_out, unattributed } = answer;
    const most = Math.max(...rows.map((row) => Number(row.cost_usd)), 0);
    this.body.replaceChildren(...rows.map((row) => this.rowOf(row, most)));
    if (rows.length === 0) this.body.append(element("tr", {}, element("td", { colspan: "6", class: "none" }, "No operations in this range.")));
    const notes = [left_out > 0 ? `${count(left_out)} cheaper models are not shown.` : "", unattributedNote(unattributed)];
    this.card.explain(notes.filter((note) => note !== "").join(" "));
  }

  private rowOf(row: BreakdownRow, most: number): HTMLElement {
    const { provider, model } = row.dimensions;
    const bar = element("i", { class: "share" });
    // Through the style object: the content security policy forbids style attributes.
    bar.style.width = most > 0 ? `${(100 * Number(row.cost_usd)) / most}%` : "0";
    const priced = row.unpriced < row.operations;
    const isOther = model === OTHER;
    const name = isOther ? "Other models" : (model ?? "no model");
    const from = isOther ? "beyond the 2,000 that are kept apart per workspace and hour" : (provider ?? "no provider");
    return element(
      "tr",
      {},
      element("td", {}, name, element("small", {}, from)),
      element("td", { class: "number" }, priced ? usd(row.cost_usd) : "unpriced"),
      element("td", { class: "bar-cell" }, bar),
      element("td", { class: "number" }, count(row.operations)),
      element("td", { class: "number" }, share(row.failures, row.operations)),
      element("td", { class: "number" }, duration(this.p95.get(keyOf(row.dimensions)))),
    );
  }
}

function heads(): HTMLElement[] {
  const names = ["Model", "Cost", "", "Operations", "Failures", "Latency (p95)"];
  return names.map((name, at) => element("th", at === 0 || at === 2 ? {} : { class: "number" }, name));
}

function keyOf(dimensions: Record<string, string | null>): string {
  return JSON.stringify([dimensions.provider, dimensions.model]);
}

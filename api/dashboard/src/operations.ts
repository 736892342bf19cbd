// The latest operations, newest first; a row opens its details.
import type { Operation } from "./api";
import { Card } from "./card";
import { element } from "./element";
import { count, dateOf, duration, moment, time, timeZone, usd } from "./format";
import type { Range } from "./range";

const DAY_MS = 86_400_000;

/** Names of the columns and their classes; a phone has no room for those that are `extra`. */
const HEADS: [string, string][] = [
  ["Time", ""],
  ["Operation", ""],
  ["Model", ""],
  ["Agent or session", "extra"],
  ["In", "number extra"],
  ["Out", "number extra"],
  ["Latency", "number extra"],
  ["Cost", "number"],
];

export class Operations {
  private readonly body = element("tbody");
  private readonly heads = HEADS.map(([name, kind]) => element("th", { class: kind }, name));
  private readonly table = element("table", { class: "rows" }, element("thead", {}, element("tr", {}, ...this.heads)), this.body);
  readonly card = new Card("Latest operations", element("div", { class: "scroll" }, this.table));
  private shown: string | undefined;

  constructor(private readonly open: (id: string) => void) {
    this.card.explain(`Times are those of ${timeZone()}.`);
  }

  show(range: Range, nowMs: number, operations: Operation[]): void {
    // The latest may be old, whatever the range is.
    const reachesFurther = operations.some((operation) => nowMs - Date.parse(operation.time) > DAY_MS);
    const withDate = reachesFurther || range.minutes === undefined || range.minutes * 60_000 > DAY_MS;
    const ids = [withDate, ...operations.map((operation) => operation.operation_id)].join();
    // Rows never change once they are there; leaving them alone keeps the focus and a selection of text.
    if (ids === this.shown) return;
    this.shown = ids;
    this.body.replaceChildren(...operations.map((operation) => this.rowOf(operation, withDate)));
    if (operations.length === 0) this.body.append(element("tr", {}, element("td", { colspan: String(HEADS.length), class: "none" }, "No operations.")));
  }

  private rowOf(operation: Operation, withDate: boolean): HTMLElement {
    const extra = { class: "number extra" };
    const tokens = (value: number | undefined) => (value === undefined ? "–" : count(value));
    const failed = operation.success ? "" : ` ${operation.error_type ?? "failed"}`;
    const opener = element("button", { type: "button", class: "link", title: operation.operation_id }, operation.operation_type);
    opener.addEventListener("click", () => this.open(operation.operation_id));
    const what = element("td", {}, opener);
    if (failed) what.append(element("em", { class: "failed" }, failed));
    const when = element("td", { title: moment(operation.time) }, time(operation.time));
    if (withDate) when.append(element("small", {}, dateOf(operation.time)));
    return element(
      "tr",
      {},
      when,
      what,
      element("td", {}, operation.model ?? "–", element("small", {}, operation.provider ?? "")),
      element("td", { class: "clip extra" }, operation.agent_name ?? operation.agent_id ?? operation.session_id ?? "–"),
      element("td", extra, tokens(operation.input_tokens)),
      element("td", extra, tokens(operation.output_tokens)),
      element("td", extra, duration(operation.latency_us)),
      element("td", { class: "number" }, usd(operation.cost_usd)),
    );
  }
}

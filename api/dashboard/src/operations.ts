// The latest operations, newest first; a row opens its details.
import type { Operation } from "./api";
import { Card } from "./card";
import { element } from "./element";
import { count, duration, moment, time, usd } from "./format";

const HEADS: [string, boolean][] = [
  ["Time", false],
  ["Operation", false],
  ["Model", false],
  ["Agent or session", false],
  ["In", true],
  ["Out", true],
  ["Latency", true],
  ["Cost", true],
];

export class Operations {
  private readonly body = element("tbody");
  private readonly heads = HEADS.map(([name, isNumber]) => element("th", isNumber ? { class: "number" } : {}, name));
  private readonly table = element("table", { class: "rows" }, element("thead", {}, element("tr", {}, ...this.heads)), this.body);
  readonly card = new Card("Latest operations", element("div", { class: "scroll" }, this.table));
  private shown: string | undefined;

  constructor(private readonly open: (id: string) => void) {}

  show(operations: Operation[]): void {
    const ids = operations.map((operation) => operation.operation_id).join();
    // Rows never change once they are there; leaving them alone keeps the focus and a selection of text.
    if (ids === this.shown) return;
    this.shown = ids;
    this.body.replaceChildren(...operations.map((operation) => this.rowOf(operation)));
    if (operations.length === 0) this.body.append(element("tr", {}, element("td", { colspan: String(HEADS.length), class: "none" }, "No operations.")));
  }

  private rowOf(operation: Operation): HTMLElement {
    const number = { class: "number" };
    const tokens = (value: number | undefined) => (value === undefined ? "–" : count(value));
    const failed = operation.success ? "" : ` ${operation.error_type ?? "failed"}`;
    const opener = element("button", { type: "button", class: "link", title: operation.operation_id }, operation.operation_type);
    opener.addEventListener("click", () => this.open(operation.operation_id));
    const what = element("td", {}, opener);
    if (failed) what.append(element("em", { class: "failed" }, failed));
    return element(
      "tr",
      {},
      element("td", { title: moment(operation.time) }, time(operation.time)),
      what,
      element("td", {}, operation.model ?? "–", element("small", {}, operation.provider ?? "")),
      element("td", { class: "clip" }, operation.agent_name ?? operation.agent_id ?? operation.session_id ?? "–"),
      element("td", number, tokens(operation.input_tokens)),
      element("td", number, tokens(operation.output_tokens)),
      element("td", number, duration(operation.latency_us)),
      element("td", number, usd(operation.cost_usd)),
    );
  }
}

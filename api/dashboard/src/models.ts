// What the range cost by model.
import type { BreakdownRow } from "./api";
import { element } from "./element";
import { count, duration, share, usd } from "./format";

export class Models {
  private readonly body = element("tbody");
  readonly root = element(
    "section",
    { class: "card" },
    element("h2", {}, "By model"),
    element(
      "div",
      { class: "scroll" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...heads())),
        this.body,
      ),
    ),
  );

  show(rows: BreakdownRow[]): void {
    const most = Math.max(...rows.map((row) => Number(row.cost_usd)), 0);
    this.body.replaceChildren(...rows.map((row) => rowOf(row, most)));
    if (rows.length === 0) this.body.append(element("tr", {}, element("td", { colspan: "6", class: "none" }, "No operations in this range.")));
  }
}

function heads(): HTMLElement[] {
  const names = ["Model", "Cost", "", "Operations", "Failures", "Mean latency"];
  return names.map((name, at) => element("th", at === 0 || at === 2 ? {} : { class: "number" }, name));
}

function rowOf(row: BreakdownRow, most: number): HTMLElement {
  const { provider, model } = row.dimensions;
  const bar = element("i", { class: "share" });
  // Through the style object: the content security policy forbids style attributes.
  bar.style.width = most > 0 ? `${(100 * Number(row.cost_usd)) / most}%` : "0";
  const priced = row.unpriced < row.operations;
  return element(
    "tr",
    {},
    element("td", {}, model ?? "no model", element("small", {}, provider ?? "no provider")),
    element("td", { class: "number" }, priced ? usd(row.cost_usd) : "unpriced"),
    element("td", { class: "bar-cell" }, bar),
    element("td", { class: "number" }, count(row.operations)),
    element("td", { class: "number" }, share(row.failures, row.operations)),
    element("td", { class: "number" }, duration(row.latency_mean_us)),
  );
}

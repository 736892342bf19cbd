// Chooses one workspace, or all of them together. Hidden while there is only one.
import type { Breakdown } from "./api";
import { element } from "./element";

export class Workspaces {
  readonly root = element("select", { "aria-label": "Workspace", hidden: "" });
  private shown = "";

  constructor(chosen: (workspace: string | undefined) => void) {
    this.root.addEventListener("change", () => chosen(this.root.value || undefined));
  }

  show(answer: Breakdown, current: string | undefined): void {
    const names = answer.rows.map((row) => row.dimensions.workspace ?? "");
    // A workspace without operations in the range stays chosen.
    if (current && !names.includes(current)) names.push(current);
    names.sort((a, b) => a.localeCompare(b));
    const shown = JSON.stringify([names, current, answer.left_out]);
    // An open list must survive a refresh.
    if (shown === this.shown) return;
    this.shown = shown;
    this.root.replaceChildren(element("option", { value: "" }, "All workspaces"), ...names.map((name) => element("option", { value: name }, name)));
    if (answer.left_out > 0) this.root.append(element("option", { disabled: "" }, `${answer.left_out} smaller ones`));
    this.root.value = current ?? "";
    this.root.hidden = names.length < 2 && !current;
  }
}

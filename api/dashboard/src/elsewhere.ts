// Says that there are operations, though none in the chosen range, and leads to them.
import { element } from "./element";
import { exact } from "./format";

export class Elsewhere {
  private readonly text = element("span");
  private readonly button = element("button", { type: "button" }, "Show all time");
  readonly root = element("p", { class: "card elsewhere", role: "status", hidden: "" }, this.text, this.button);

  constructor(showAll: () => void) {
    this.button.addEventListener("click", showAll);
  }

  /** `operations` of all time; 0 hides it. */
  show(operations: number): void {
    this.root.hidden = operations === 0;
    const text = `No operations in this range, but ${exact(operations)} outside it.`;
    if (this.text.textContent !== text) this.text.textContent = text;
  }
}

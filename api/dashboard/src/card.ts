// A framed part of the page that says itself when its question was not answered.
import { element } from "./element";

export class Card {
  readonly root: HTMLElement;
  private readonly note = element("p", { class: "note", hidden: "" });
  private readonly trouble = element("p", { class: "trouble", role: "status", hidden: "" });

  constructor(heading: string, ...content: HTMLElement[]) {
    this.root = element("section", { class: "card" }, element("h2", {}, heading), ...content, this.note, this.trouble);
  }

  /** What there is to know about the numbers; nothing hides it. */
  explain(text: string): void {
    tell(this.note, text);
  }

  /** Why the numbers are not of the present; nothing hides it. */
  fail(reason: string): void {
    tell(this.trouble, reason && `${reason}; trying again`);
  }
}

function tell(place: HTMLElement, text: string): void {
  place.textContent = text;
  place.hidden = text === "";
}

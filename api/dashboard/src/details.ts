// One operation with everything that is known of it, and its content as plain text.
import { ask, type Operation } from "./api";
import { byId, element } from "./element";

export async function openDetails(id: string): Promise<void> {
  const dialog = byId("details") as HTMLDialogElement;
  const close = element("button", { type: "button" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const body = element("div", { class: "scroll" }, "Loading …");
  dialog.replaceChildren(element("header", {}, element("h2", {}, "Operation"), close), body);
  dialog.showModal();
  try {
    const { content, ...columns } = await ask<Operation>(`/v1/operations/${encodeURIComponent(id)}`);
    const list = element("dl");
    for (const [name, value] of Object.entries(columns)) {
      list.append(element("dt", {}, name), element("dd", {}, typeof value === "string" ? value : JSON.stringify(value)));
    }
    body.replaceChildren(...contentOf(content), list);
  } catch (error) {
    body.replaceChildren(error instanceof Error ? error.message : "the operation could not be read");
  }
}

function contentOf(content: Operation["content"]): HTMLElement[] {
  const parts = [];
  for (const [name, text] of Object.entries(content ?? {})) {
    if (text) parts.push(element("h3", {}, name.replaceAll("_", " ")), element("pre", {}, pretty(text)));
  }
  return parts;
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

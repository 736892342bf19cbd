// What was said in an operation, as messages where it is a list of them, else as it is. Pure.

export interface Message {
  role: string;
  text: string;
}

/** Texts of a chat: a list of objects with a role, whose content is text, or parts of which some have text. */
export function messagesOf(stored: string): Message[] | undefined {
  const list = parsed(stored);
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const messages = [];
  for (const entry of list as unknown[]) {
    if (!isObject(entry) || typeof entry.role !== "string") return undefined;
    messages.push({ role: entry.role, text: textOf(entry) });
  }
  return messages;
}

/** JSON is easier to read with line ends. */
export function pretty(stored: string): string {
  const value = parsed(stored);
  return value === undefined ? stored : typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

function textOf(entry: Record<string, unknown>): string {
  const { role: _, ...others } = entry;
  const said = others.content ?? others.parts;
  if (typeof said === "string" && Object.keys(others).length === 1) return said;
  if (Array.isArray(said) && Object.keys(others).length === 1 && said.every(isText)) return said.map((part) => part.text ?? part.content).join("\n");
  // Nothing of it is hidden: tool calls and pictures are shown as they are.
  return JSON.stringify(others, null, 2);
}

function isText(part: unknown): part is { text?: string; content?: string } {
  if (!isObject(part) || Object.keys(part).some((key) => !["type", "text", "content"].includes(key))) return false;
  return typeof (part.text ?? part.content) === "string";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

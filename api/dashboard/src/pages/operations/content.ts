// What was said in an operation, as messages where it is a list of them, else as it is. Pure.

export interface Message {
  role: string;
  text: string;
}

/** Nobody reads what is nested deeper, and far deeper the browser has no room to write it. */
const MOST_DEPTH = 100;
/** With line ends nested text grows with its depth squared: what becomes so many times as long stays as it is. */
const MOST_GROWTH = 4;

/** Texts of a chat: a list of objects with a role, whose content is text, or parts of which some have text. */
export function messagesOf(stored: string): Message[] | undefined {
  const list = parsed(stored);
  if (!Array.isArray(list) || list.length === 0) return undefined;
  const messages = [];
  let room = MOST_GROWTH * stored.length;
  for (const entry of list as unknown[]) {
    if (!isObject(entry) || typeof entry.role !== "string") return undefined;
    const text = textOf(entry);
    room -= text?.length ?? 0;
    if (text === undefined || room < 0) return undefined;
    messages.push({ role: entry.role, text });
  }
  return messages;
}

/** JSON is easier to read with line ends. */
export function pretty(stored: string): string {
  const value = parsed(stored);
  if (value === undefined) return stored;
  const text = typeof value === "string" ? value : written(value);
  return text === undefined || text.length > MOST_GROWTH * stored.length ? stored : text;
}

function textOf(entry: Record<string, unknown>): string | undefined {
  const { role: _, ...others } = entry;
  const said = others.content ?? others.parts;
  if (typeof said === "string" && Object.keys(others).length === 1) return said;
  if (Array.isArray(said) && Object.keys(others).length === 1 && said.every(isText)) return said.map((part) => part.text ?? part.content).join("\n");
  // Nothing of it is hidden: tool calls and pictures are shown as they are.
  return written(others);
}

function isText(part: unknown): part is { text?: string; content?: string } {
  if (!isObject(part) || Object.keys(part).some((key) => !["type", "text", "content"].includes(key))) return false;
  return typeof (part.text ?? part.content) === "string";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Nothing where it is no JSON, or JSON that is nested too deeply. */
function parsed(text: string): unknown {
  if (isDeep(text)) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Looks at the text, not at what it means: that takes no room, however deep it is. */
function isDeep(text: string): boolean {
  let depth = 0;
  let isInText = false;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (isInText) {
      if (letter === "\\") at += 1;
      else if (letter === '"') isInText = false;
    } else if (letter === '"') isInText = true;
    else if (letter === "[" || letter === "{") {
      depth += 1;
      if (depth > MOST_DEPTH) return true;
    } else if (letter === "]" || letter === "}") depth -= 1;
  }
  return false;
}

function written(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, null, 2);
  } catch {
    return undefined;
  }
}

// A stream of server-sent events, read by fetch: an EventSource sends no token.
import { requested, type Parameters } from "./client";

export interface ServerEvent {
  name: string;
  data: string;
}

/** Takes text as it comes, in pieces of any length, and gives the events that are whole. */
export class EventReader {
  private rest = "";
  private name = "";
  private data: string[] = [];

  take(text: string): ServerEvent[] {
    const found: ServerEvent[] = [];
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (this.data.length > 0) found.push({ name: this.name || "message", data: this.data.join("\n") });
        this.name = "";
        this.data = [];
        continue;
      }
      const [, field = "", value = ""] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (field === "event") this.name = value;
      else if (field === "data") this.data.push(value);
    }
    return found;
  }
}

/** Silence for longer means that the connection is lost, whatever the browser thinks of it: the server says something every 15 s. */
const SILENCE_MS = 40_000;

/** Calls `take` for every event until the stream ends, which is an error, or `signal` ends it. */
export async function follow(path: string, parameters: Parameters, signal: AbortSignal, opened: () => void, take: (event: ServerEvent) => void): Promise<void> {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(new DOMException("silence", "TimeoutError")), SILENCE_MS);
  try {
    const response = await requested({ path, parameters, signal: AbortSignal.any([signal, silence.signal]) });
    opened();
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    const events = new EventReader();
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(new DOMException("silence", "TimeoutError")), SILENCE_MS);
      for (const event of events.take(part.value)) take(event);
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Seconds before the next attempt: longer after each that failed, and never the same for all who wait. */
export function waitBefore(attempt: number, chance: number): number {
  const longest = Math.min(30, 2 ** Math.min(attempt, 10) / 2);
  return longest * (0.5 + chance / 2);
}

// Files that the server makes: asked for with the token, and given to the reader when they are there as a whole.
import { reasonOf, requested, TokenNeeded, type Parameters } from "../api/client";
import { session } from "../state/session.svelte";
import { download } from "./download";

export const FORMATS = [
  { format: "csv", label: "CSV", about: "for spreadsheets" },
  { format: "json", label: "JSON", about: "one object a line" },
  { format: "parquet", label: "Parquet", about: "with types" },
  { format: "arrow", label: "Arrow", about: "stream, with types" },
] as const;

export type Format = (typeof FORMATS)[number]["format"];

interface Wanted {
  path: string;
  name: string;
  format: Format;
  parameters?: Parameters;
  body?: unknown;
}

export class Saving {
  isRunning: boolean = $state(false);
  /** Bytes that have come. */
  received: number = $state(0);
  failure: string = $state("");
  private abort: AbortController | undefined;

  async save({ path, name, format, parameters = [], body }: Wanted): Promise<void> {
    this.stop();
    const abort = (this.abort = new AbortController());
    this.isRunning = true;
    this.received = 0;
    this.failure = "";
    try {
      const response = await requested({ path, parameters: [...parameters, ["format", format]], signal: abort.signal, ...(body === undefined ? {} : { method: "POST", body }) });
      const counted = response.body?.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, controller) => {
          this.received += chunk.byteLength;
          controller.enqueue(chunk);
        },
      }));
      const whole = await new Response(counted ?? null, { headers: { "content-type": response.headers.get("content-type") ?? "application/octet-stream" } }).blob();
      download(whole, `opstream-${name}-${new Date().toISOString().slice(0, 10)}.${format === "json" ? "jsonl" : format}`);
    } catch (error) {
      if (error instanceof TokenNeeded) session.needsToken = true;
      else if (!abort.signal.aborted) this.failure = reasonOf(error);
    } finally {
      if (this.abort === abort) this.isRunning = false;
    }
  }

  stop(): void {
    this.abort?.abort();
    this.isRunning = false;
  }
}

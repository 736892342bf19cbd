// Answers of routes other than that of numbers, asked again as time goes on.
import { ask, type Parameters } from "../api/client";
import { inTurn } from "../api/turns";
import { asked, type Asked } from "./asked.svelte";

export interface Fetch {
  path: string;
  parameters?: Parameters;
  /** Whether files are read for it. */
  isOfFiles?: boolean;
}

/** Asks again whenever what `wanted` reads changes. Answers of the same path and parameters follow each other in time. */
export function fetched<T>(wanted: () => (Fetch & { subject?: string }) | undefined): Asked<T> {
  return asked<T>(() => {
    const fetch = wanted();
    if (!fetch) return undefined;
    const { path, parameters = [], isOfFiles, subject } = fetch;
    return {
      subject: subject ?? JSON.stringify([path, parameters]),
      ask: () => {
        const abort = new AbortController();
        const asking = () => ask<T>(path, parameters, abort.signal);
        return { answer: isOfFiles ? inTurn(asking, abort.signal) : asking(), leave: () => abort.abort() };
      },
    };
  });
}

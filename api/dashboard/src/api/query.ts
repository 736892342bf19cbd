// `GET /v1/query`: numbers of a period by dimensions and steps. Parts of the page that ask the same share one answer.
import type { Measure, Value } from "../numbers/measures";
import type { View } from "../state/view";
import type { Resolution, Span } from "../time/range";
import { ask, type Parameters } from "./client";
import { COUNTED, type Dimension } from "./dimensions";

export interface Question {
  measures: readonly Measure[];
  by?: readonly Dimension[];
  /** Asks for steps of this width too. */
  resolution?: Resolution;
  /** The measure by which groups are the largest; the first one unless said. */
  order?: Measure;
  /** Most groups. */
  limit?: number;
  span: Span;
  zone: string;
  filters: View["filters"];
}

export interface Step {
  start: string;
  end: string;
  /** With the distance from UTC. */
  start_local: string;
}

export interface QueryGroup {
  dimensions: Partial<Record<Dimension, string | null>>;
  totals: Partial<Record<Measure, Value>>;
  series?: Partial<Record<Measure, Value[]>>;
}

export interface QueryAnswer {
  from: string;
  to: string;
  zone: string;
  complete_to: string | null;
  source: "windows" | "files";
  resolution?: Resolution;
  /** Percentiles differ from the exact order statistic by at most this part of it. */
  percentile_error: number;
  dimensions: Dimension[];
  measures: { name: Measure; unit: string }[];
  /** Every step of the range, also those without operations; absent without a resolution. */
  steps?: Step[];
  groups: QueryGroup[];
  /** Groups beyond the limit. */
  left_out: number;
  /** Operations that may belong here and are in no group. */
  unattributed: number;
}

export function parametersOf(question: Question): Parameters {
  const { measures, by, resolution, order, limit, span, zone, filters } = question;
  const parameters: [string, string][] = [["measures", measures.join(",")]];
  if (by && by.length > 0) parameters.push(["by", by.join(",")]);
  if (resolution) parameters.push(["resolution", resolution]);
  parameters.push(["from", minute(span.from)], ["to", minute(span.to)], ["zone", zone]);
  if (order) parameters.push(["order", order]);
  if (limit !== undefined) parameters.push(["limit", String(limit)]);
  for (const name of COUNTED) for (const value of filters[name] ?? []) parameters.push([name, value]);
  return parameters;
}

interface Shared {
  answer: Promise<QueryAnswer>;
  abort: AbortController;
  waiting: number;
}

const shared = new Map<string, Shared>();
/** Parts that are drawn one after the other still share. */
const SHARED_MS = 2_000;

/** The answer, and what to call when nobody waits for it any more. */
export function askQuery(question: Question): { answer: Promise<QueryAnswer>; leave: () => void } {
  const parameters = parametersOf(question);
  const key = JSON.stringify(parameters);
  let entry = shared.get(key);
  if (!entry) {
    const abort = new AbortController();
    const answer = ask<QueryAnswer>("v1/query", parameters, abort.signal);
    entry = { answer, abort, waiting: 0 };
    shared.set(key, entry);
    const forget = () => shared.get(key)?.abort === abort && shared.delete(key);
    answer.then(
      () => setTimeout(forget, SHARED_MS),
      () => forget(),
    );
    abort.signal.addEventListener("abort", forget);
  }
  const mine = entry;
  mine.waiting += 1;
  const leave = () => {
    mine.waiting -= 1;
    if (mine.waiting === 0) mine.abort.abort();
  };
  return { answer: mine.answer, leave };
}

function minute(moment: number): string {
  return `${new Date(moment).toISOString().slice(0, 19)}Z`;
}

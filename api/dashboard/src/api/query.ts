// `GET /v1/query`: numbers of a period by dimensions and steps. Parts of the page that ask the same share one answer.
import { isOfFiles, type Measure, type Value } from "../numbers/measures";
import type { View } from "../state/view";
import type { Resolution, Span } from "../time/range";
import { ask, type Parameters, type Scanned, type Schemas } from "./client";
import { FILTERS, isKept, tagKey, type Dimension } from "./dimensions";
import { inTurn } from "./turns";

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
  /** Whether it is looked at first: others of the same turn let it go ahead. */
  isFirst?: boolean;
}

/** A step in the zone that every question names. */
export type Step = Required<Schemas["StepTimes"]>;

/** A group with the names of what was asked for, which the description leaves open. */
export interface QueryGroup {
  dimensions: Partial<Record<Dimension, string | null>>;
  totals: Partial<Record<Measure, Value>>;
  series?: Partial<Record<Measure, Value[]>>;
}

/** What every question of the page has, a period and a zone, every answer has. */
export type QueryAnswer = Omit<Schemas["QueryAnswer"], "from" | "to" | "zone" | "resolution" | "dimensions" | "measures" | "steps" | "groups" | "others" | "scanned"> & {
  from: string;
  to: string;
  zone: string;
  resolution?: Resolution;
  steps?: Step[];
  dimensions: Dimension[];
  measures: { name: Measure; unit: string }[];
  groups: QueryGroup[];
  /** All groups that are left out together. */
  others?: QueryGroup;
  /** What was read, where the answer comes from files. */
  scanned?: Scanned;
};

/** Whether windows cannot answer it: files are read, which costs the server more and takes longer. */
export function needsFiles({ measures, by = [], filters }: Pick<Question, "measures" | "by" | "filters">): boolean {
  return measures.some(isOfFiles) || by.some((name) => !isKept(name)) || FILTERS.some((name) => !isKept(name) && (filters[name]?.length ?? 0) > 0);
}

/** As `by` wants them: a comma or a space may be part of a key. */
export function byText(by: readonly Dimension[]): string {
  return by.map((name) => (tagKey(name) === undefined ? name : `tag:${encodeURIComponent(tagKey(name) ?? "")}`)).join(",");
}

/** The filters of a view as parameters. */
export function filterParameters(filters: View["filters"]): [string, string][] {
  return FILTERS.flatMap((name) => (filters[name] ?? []).map((value): [string, string] => [name, value]));
}

/** A period and its zone as parameters. */
export function spanParameters(span: Span, zone: string): [string, string][] {
  return [["from", minute(span.from)], ["to", minute(span.to)], ["zone", zone]];
}

export function parametersOf(question: Question): Parameters {
  const { measures, by, resolution, order, limit, span, zone, filters } = question;
  const parameters: [string, string][] = [["measures", measures.join(",")]];
  if (by && by.length > 0) parameters.push(["by", byText(by)]);
  if (resolution) parameters.push(["resolution", resolution]);
  parameters.push(...spanParameters(span, zone));
  if (order) parameters.push(["order", order]);
  if (limit !== undefined) parameters.push(["limit", String(limit)]);
  return [...parameters, ...filterParameters(filters)];
}

/** How long others wait for what is looked at first: a server that takes longer does not get faster by being asked less. */
const AHEAD_MS = 150;
let ahead: Promise<unknown> = Promise.resolve();

/** One request, for all that ask for the same groups and steps; only their measures differ. */
interface Request {
  measures: Set<Measure>;
  /** Whether it is under way: measures can be added until then. */
  isSent: boolean;
  answer: Promise<QueryAnswer>;
  abort: AbortController;
  waiting: number;
}

const requests = new Map<string, Request[]>();
/** Parts that are drawn one after the other still share. */
const SHARED_MS = 2_000;

/** The answer, and what to call when nobody waits for it any more. */
export function askQuery(question: Question): { answer: Promise<QueryAnswer>; leave: () => void } {
  // Without an order the first measure decides which groups are the largest, whatever is asked for beside it.
  const order = question.by && question.by.length > 0 ? (question.order ?? question.measures[0]) : undefined;
  const { order: _, isFirst, ...rest } = question;
  const common: Question = { ...rest, ...(order ? { order } : {}) };
  // What windows answer must not wait for files.
  const key = JSON.stringify([needsFiles(question), parametersOf({ ...common, measures: [] })]);
  const known = requests.get(key) ?? [];
  let request = known.find(({ isSent, measures }) => !isSent || question.measures.every((measure) => measures.has(measure)));
  if (!request) requests.set(key, [...known, (request = send(common, key, isFirst))]);
  for (const measure of question.measures) request.measures.add(measure);
  request.waiting += 1;
  const mine = request;
  const leave = () => {
    mine.waiting -= 1;
    if (mine.waiting === 0) mine.abort.abort();
  };
  return { answer: mine.answer.then((answer) => narrowed(answer, question.measures)), leave };
}

/** Sends the question when everybody who asks in this turn has asked. */
function send(common: Question, key: string, isFirst = false): Request {
  const abort = new AbortController();
  const before = () => (isFirst ? Promise.resolve() : Promise.race([ahead, new Promise((go) => setTimeout(go, AHEAD_MS))]));
  const request: Request = {
    measures: new Set(),
    isSent: false,
    abort,
    waiting: 0,
    answer: Promise.resolve().then(before).then(() => {
      request.isSent = true;
      const whole = { ...common, measures: [...request.measures] };
      const asking = () => ask<QueryAnswer>("v1/query", parametersOf(whole), abort.signal);
      return needsFiles(whole) ? inTurn(asking, abort.signal) : asking();
    }),
  };
  if (isFirst) ahead = request.answer.catch(() => undefined);
  const forget = () => {
    const left = requests.get(key)?.filter((other) => other !== request) ?? [];
    if (left.length > 0) requests.set(key, left);
    else requests.delete(key);
  };
  request.answer.then(() => setTimeout(forget, SHARED_MS), forget);
  abort.signal.addEventListener("abort", forget);
  return request;
}

/** What others asked for beside it is nobody's business. */
function narrowed(answer: QueryAnswer, measures: readonly Measure[]): QueryAnswer {
  return { ...answer, measures: answer.measures.filter(({ name }) => measures.includes(name)) };
}

function minute(moment: number): string {
  return `${new Date(moment).toISOString().slice(0, 19)}Z`;
}

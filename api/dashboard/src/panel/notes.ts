// What there is to know about the numbers of an answer. Pure.
import type { QueryAnswer } from "../api/query";
import { bytes, count, exactCount, percent } from "../numbers/count";
import { duration } from "../numbers/duration";
import { isPercentile, type Measure } from "../numbers/measures";
import { clock, dayAndClock } from "../time/shown";
import { kindOf } from "../api/dimensions";
import type { Scanned } from "../api/client";
import { DAY } from "../time/zone";

const SEPARATOR = " · ";

/** What an answer says of itself. */
export interface Origin {
  complete_to?: string | null | undefined;
  zone?: string | null | undefined;
  source?: string | undefined;
  scanned?: Scanned | null | undefined;
}

/** How a list came to be, in few words; its times are of this zone. */
export function originOfList({ complete_to: complete, zone, source, scanned }: Origin, now: number, shown: string): string {
  const at = zone ?? shown;
  const parts = complete ? [completeText(Date.parse(complete), now, at), at] : [at];
  const from = source ?? (scanned ? "files" : undefined);
  if (from) parts.push(`from ${from}`);
  if (scanned) parts.push(scanText([scanned]));
  return parts.join(SEPARATOR);
}

/** How numbers came to be, in few words. */
export function origin(answers: readonly QueryAnswer[], now: number): string {
  const [first] = answers;
  if (!first) return "";
  const parts = [];
  const moments = answers.flatMap((answer) => answer.complete_to ?? []);
  // Of several answers the panel is as complete as the least complete, of which it may not be known.
  if (moments.length === answers.length) parts.push(completeText(Math.min(...moments.map((text) => Date.parse(text))), now, first.zone));
  parts.push(first.zone);
  const hasPercentiles = answers.some((answer) => answer.measures.some(({ name }) => isPercentile(name)));
  const error = Math.max(...answers.map((answer) => answer.percentile_error ?? 0));
  if (hasPercentiles && error > 0) parts.push(`percentiles ±${percent(error)}`);
  parts.push(`from ${[...new Set(answers.map((answer) => answer.source))].join(" and ")}`);
  const read = answers.flatMap((answer) => answer.scanned ?? []);
  if (read.length > 0) parts.push(scanText(read));
  return parts.join(SEPARATOR);
}

function completeText(moment: number, now: number, zone: string): string {
  return `complete to ${now - moment > DAY ? dayAndClock(moment, zone) : clock(moment, zone)}`;
}

/** What was read from files, of all answers together; they came one beside the other, so the longest says how long it took. */
export function scanText(read: readonly Scanned[]): string {
  const sum = (of: (one: Scanned) => number) => read.reduce((all, one) => all + of(one), 0);
  const files = sum((one) => one.files);
  const size = sum((one) => one.bytes ?? 0);
  const parts = [`${exactCount(files)} ${files === 1 ? "file" : "files"}`, `${count(sum((one) => one.operations))} operations`];
  if (size > 0) parts.push(bytes(size));
  return `${parts.join(", ")} read in ${duration(1000 * Math.max(...read.map((one) => one.milliseconds)))}`;
}

export interface Gap {
  text: string;
  /** Whether sums are too small because of it. */
  isSerious: boolean;
}

interface Shown {
  /** Whether nothing is drawn. */
  isEmpty?: boolean;
  /** Whether panels beside it lack the same: that is no warning in each. */
  isOneOfMany?: boolean;
}

/** What is missing in them, one sentence each. */
export function gaps(answers: readonly QueryAnswer[], { isEmpty = false, isOneOfMany = false }: Shown = {}): Gap[] {
  const notes = new Map<string, boolean>();
  for (const answer of answers) {
    const [dimension] = answer.dimensions;
    const kind = answer.dimensions.length === 1 && dimension ? kindOf(dimension) : { label: "combination", plural: "combinations" };
    const left = answer.left_out === 1 ? `1 smaller ${kind.label.toLowerCase()} is` : `${exactCount(answer.left_out)} smaller ${kind.plural} are`;
    // Where nothing is drawn, nothing is shown by name.
    if (answer.left_out > 0 && !isEmpty) notes.set(`${left} not shown by name.`, false);
    const { unattributed, others } = answer;
    if (unattributed) {
      notes.set(`${exactCount(unattributed)} more operations may belong here: of a workspace, 2,000 combinations of values are kept apart per hour, and these are beyond.`, true);
    }
    const groups = others ? [...answer.groups, others] : answer.groups;
    const unpriced = groups.reduce((all, group) => all + Number(group.totals.unpriced ?? 0), 0);
    const has = (measure: Measure) => answer.measures.some(({ name }) => name === measure);
    if (has("cost_usd") && has("unpriced") && unpriced > 0) notes.set(`${exactCount(unpriced)} operations have no price and are in no cost.`, !isOneOfMany);
  }
  return [...notes].map(([text, isSerious]) => ({ text, isSerious }));
}

// To when the numbers are complete, and whether that is recent enough not to worry.
import { ago, moment, time } from "./format";

export type Mood = "calm" | "waiting" | "stale" | "trouble";

/** Windows are a second or two behind; a minute means that something does not work. */
const STALE_AFTER_MS = 60_000;

export function freshness(completeTo: string | null, operations: number, nowMs: number): { text: string; mood: Mood } {
  if (completeTo === null) {
    if (operations === 0) return { text: "waiting for the first windows", mood: "waiting" };
    return { text: "how far this is complete is not known yet", mood: "stale" };
  }
  const age = nowMs - Date.parse(completeTo);
  if (age <= STALE_AFTER_MS) return { text: `complete to ${time(completeTo)}`, mood: "calm" };
  return { text: `complete only to ${moment(completeTo)}, ${ago(age)} ago`, mood: "stale" };
}

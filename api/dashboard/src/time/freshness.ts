// To when the numbers are complete, and whether that is recent enough not to worry. Pure.
import { ago } from "../numbers/duration";
import { clock, dayAndClock } from "./shown";

export type Mood = "calm" | "waiting" | "stale";

/** Windows are a second or two behind; a minute means that something does not work. */
const STALE_AFTER_MS = 60_000;

export function freshness(completeTo: string | null, hasOperations: boolean, now: number, zone: string): { text: string; mood: Mood } {
  if (completeTo === null) {
    if (!hasOperations) return { text: "waiting for the first windows", mood: "waiting" };
    return { text: "how far this is complete is not known yet", mood: "stale" };
  }
  const moment = Date.parse(completeTo);
  const age = now - moment;
  if (age <= STALE_AFTER_MS) return { text: `complete to ${clock(moment, zone)}`, mood: "calm" };
  return { text: `complete only to ${dayAndClock(moment, zone)}, ${ago(age)} ago`, mood: "stale" };
}

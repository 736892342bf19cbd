// What is looked at, as it stands in the address of the page: #minutes=1440&workspace=acme, or #minutes=all. A copied address
// shows the same.
import { RANGES, type Range } from "./range";

export interface Place {
  range: Range;
  /** None for all workspaces together. */
  workspace: string | undefined;
}

export function readPlace(): Place {
  const given = new URLSearchParams(location.hash.slice(1));
  const range = RANGES.find((candidate) => minutesOf(candidate) === given.get("minutes"));
  return { range: range ?? (RANGES[0] as Range), workspace: given.get("workspace") || undefined };
}

export function writePlace(place: Place): void {
  const parts = new URLSearchParams({ minutes: minutesOf(place.range) });
  if (place.workspace) parts.set("workspace", place.workspace);
  history.replaceState(null, "", `#${parts.toString()}`);
}

function minutesOf(range: Range): string {
  return String(range.minutes ?? "all");
}

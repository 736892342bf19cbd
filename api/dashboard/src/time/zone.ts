// Local time of an IANA zone, by the rules that the browser has. Moments are Unix milliseconds; a *local* number is what they would
// be if the local clock showed UTC. Pure.

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone: zone, calendar: "gregory", numberingSystem: "latn", hourCycle: "h23",
      year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
    formats.set(zone, format);
  }
  return format;
}

/** Whether the browser knows the zone. */
export function isZone(name: string): boolean {
  try {
    formatOf(name);
    return name !== "";
  } catch {
    return false;
  }
}

/** Browsers list many of them by their old names only. */
const PRESENT_NAMES = ["Asia/Kolkata", "Asia/Ho_Chi_Minh", "Asia/Kathmandu", "Asia/Yangon", "Europe/Kyiv", "America/Nuuk", "Pacific/Kanton", "America/Argentina/Buenos_Aires"];

/** What can be chosen: UTC, the own one, then all by name. */
export function zoneNames(): string[] {
  const names = [...Intl.supportedValuesOf("timeZone"), ...PRESENT_NAMES.filter(isZone)].sort();
  return [...new Set(["UTC", ownZone(), ...names])];
}

/** The zone of this machine. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** What the local clock is ahead of UTC at a moment, in milliseconds. */
export function offsetAt(moment: number, zone: string): number {
  if (zone === "UTC") return 0;
  const parts: Record<string, number> = {};
  for (const { type, value } of formatOf(zone).formatToParts(moment)) parts[type] = Number(value);
  const local = Date.UTC(parts.year ?? 0, (parts.month ?? 1) - 1, parts.day, parts.hour, parts.minute, parts.second);
  return local - Math.floor(moment / 1000) * 1000;
}

export function toLocal(moment: number, zone: string): number {
  return moment + offsetAt(moment, zone);
}

/** The first moment at which the local clock shows `local`; where clocks skip it, the moment at which they skip. */
export function fromLocal(local: number, zone: string): number {
  const before = offsetAt(local - DAY, zone);
  const after = offsetAt(local + DAY, zone);
  const early = local - Math.max(before, after);
  if (toLocal(early, zone) === local) return early;
  const late = local - Math.min(before, after);
  if (toLocal(late, zone) === local) return late;
  // Skipped: the change lies between the two.
  let [low, high] = [early - HOUR, late + HOUR];
  const offset = offsetAt(low, zone);
  while (high - low > MINUTE) {
    const middle = Math.floor((low + high) / 2 / MINUTE) * MINUTE;
    if (offsetAt(middle, zone) === offset) low = middle;
    else high = middle;
  }
  return high;
}

/** The first moment of the local day, `days` later. */
export function startOfDay(moment: number, zone: string, days = 0): number {
  return fromLocal((Math.floor(toLocal(moment, zone) / DAY) + days) * DAY, zone);
}

/** The first moment of the local week, which begins on Monday, `weeks` later. */
export function startOfWeek(moment: number, zone: string, weeks = 0): number {
  const day = Math.floor(toLocal(moment, zone) / DAY);
  // Day 0 of Unix time was a Thursday.
  const monday = day - ((((day + 3) % 7) + 7) % 7);
  return fromLocal((monday + 7 * weeks) * DAY, zone);
}

/** The first moment of the local month, `months` later. */
export function startOfMonth(moment: number, zone: string, months = 0): number {
  const local = new Date(toLocal(moment, zone));
  return fromLocal(Date.UTC(local.getUTCFullYear(), local.getUTCMonth() + months, 1), zone);
}

/** The last moment at or before `moment` at which the local clock shows a multiple of `width`, which is below a day. */
export function alignDown(moment: number, width: number, zone: string): number {
  const offset = offsetAt(moment, zone);
  return Math.floor((moment + offset) / width) * width - offset;
}

/** `2026-11-27T22:40`, for inputs of local time. */
export function localText(moment: number, zone: string): string {
  return new Date(toLocal(moment, zone)).toISOString().slice(0, 16);
}

/** The moment that `2026-11-27T22:40` is in a zone; none for other text. */
export function parseLocal(text: string, zone: string): number | undefined {
  const local = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/.test(text) ? Date.parse(`${text}Z`) : Number.NaN;
  return Number.isNaN(local) ? undefined : fromLocal(local, zone);
}

/** `+05:30`. */
export function offsetText(moment: number, zone: string): string {
  const minutes = Math.round(offsetAt(moment, zone) / MINUTE);
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${String(Math.floor(size / 60)).padStart(2, "0")}:${String(size % 60).padStart(2, "0")}`;
}

/** `2026-11-27T22:40:00+05:30`. */
export function isoLocal(moment: number, zone: string): string {
  return `${new Date(toLocal(moment, zone)).toISOString().slice(0, 19)}${offsetText(moment, zone)}`;
}

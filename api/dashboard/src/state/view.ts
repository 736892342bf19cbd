// What is looked at, as it stands behind # in the address: #/cost?range=7d&zone=Europe%2FBerlin&provider=openai. A copied address
// shows the same. Pure.
import { FILTERS, isFilter, type FilterName } from "../api/dimensions";
import { isRangeName, isResolution, type Range, type Resolution } from "../time/range";
import { isZone, MINUTE } from "../time/zone";

export interface View {
  page: string;
  /** What stands behind the page in the path, such as the id of a dashboard; "" for nothing. */
  item: string;
  range: Range;
  zone: string;
  /** Width of the steps of charts; none for the one that shows the range well. */
  step: Resolution | undefined;
  /** Any of the values; "" is operations without one. A dimension that is not filtered by is absent. */
  filters: Partial<Record<FilterName, readonly string[]>>;
  /** Whether the previous period is shown beside this one. */
  compare: boolean;
  /** What else a page remembers. */
  options: Readonly<Record<string, string>>;
  /** What the address says of time that cannot be shown, as it stands there. */
  unread: readonly string[];
}

export const DEFAULT_PAGE = "overview";

export function readView(hash: string, ownZone: string): View {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const [, page = DEFAULT_PAGE, item = ""] = /^([a-z][a-z-]*)(?:\/([0-9a-zA-Z-]+))?$/.exec(path) ?? [];
  const given = new URLSearchParams(query);
  const filters: View["filters"] = {};
  const options: Record<string, string> = {};
  for (const [name, value] of given) {
    // So addresses called the outcome before.
    if (name === "success") filters.outcome = [...new Set([...(filters.outcome ?? []), value === "true" ? "success" : "failure"])];
    else if (isFilter(name)) filters[name] = [...new Set([...(filters[name] ?? []), value])];
    else if (!RESERVED.has(name)) options[name] = value;
  }
  const zone = given.get("zone") ?? "";
  const range = readRange(given);
  const unread = range ? [] : ["range", "from", "to"].flatMap((name) => (given.has(name) ? [`${name}=${given.get(name)}`] : []));
  if (zone && !isZone(zone)) unread.push(`zone=${zone}`);
  const step = given.get("step") ?? "";
  return {
    page,
    item,
    range: range ?? DEFAULT_RANGE,
    zone: isZone(zone) ? zone : ownZone,
    step: isResolution(step) ? step : undefined,
    filters,
    compare: given.get("compare") === "previous",
    options,
    unread,
  };
}

const DEFAULT_RANGE: Range = { name: "24h" };
const RESERVED = new Set(["range", "from", "to", "zone", "step", "compare"]);

/** The same view has always the same text. */
export function writeView(view: View): string {
  const parts = new URLSearchParams();
  if ("name" in view.range) parts.set("range", view.range.name);
  else {
    parts.set("from", minuteText(view.range.from));
    parts.set("to", minuteText(view.range.to));
  }
  parts.set("zone", view.zone);
  if (view.step) parts.set("step", view.step);
  for (const name of FILTERS) for (const value of view.filters[name] ?? []) parts.append(name, value);
  if (view.compare) parts.set("compare", "previous");
  for (const name of Object.keys(view.options).sort()) parts.set(name, view.options[name] ?? "");
  // Behind # these need no escape, and an address is read by people too.
  return `#/${view.page}${view.item && `/${view.item}`}?${parts.toString().replaceAll("%2F", "/").replaceAll("%3A", ":").replaceAll("%2C", ",")}`;
}

/** Adds a value to a filter, or takes it away when it is there. */
export function toggled(filters: View["filters"], name: FilterName, value: string): View["filters"] {
  const old = filters[name] ?? [];
  const values = old.includes(value) ? old.filter((other) => other !== value) : [...old, value];
  const { [name]: _, ...others } = filters;
  return values.length === 0 ? others : { ...others, [name]: values };
}

/** None where there is none that can be shown. */
function readRange(given: URLSearchParams): Range | undefined {
  const name = given.get("range") ?? "";
  if (isRangeName(name)) return { name };
  const from = readMinute(given.get("from"));
  const to = readMinute(given.get("to"));
  return from !== undefined && to !== undefined && from < to ? { from, to } : undefined;
}

/** Dates of other years have another form than the api takes, and nobody has operations of then. */
const YEARS = { first: Date.UTC(2000, 0, 1), end: Date.UTC(2100, 0, 1) };

function readMinute(text: string | null): number | undefined {
  const moment = text === null ? Number.NaN : Date.parse(text);
  return moment >= YEARS.first && moment < YEARS.end ? Math.floor(moment / MINUTE) * MINUTE : undefined;
}

function minuteText(moment: number): string {
  return `${new Date(moment).toISOString().slice(0, 16)}Z`;
}

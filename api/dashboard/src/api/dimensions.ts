// What operations are grouped and filtered by.
import { legible } from "../numbers/legible";

interface Kind {
  label: string;
  plural: string;
  /** Whether windows are kept by it. Whatever is asked by the others is counted from files, which takes longer. */
  isKept: boolean;
  /** Nearly every operation has another value: nobody wants a list of them. */
  isUnique?: boolean;
}

export const DIMENSIONS = {
  workspace: { label: "Workspace", plural: "workspaces", isKept: true },
  project: { label: "Project", plural: "projects", isKept: true },
  team: { label: "Team", plural: "teams", isKept: true },
  environment: { label: "Environment", plural: "environments", isKept: true },
  provider: { label: "Provider", plural: "providers", isKept: true },
  model: { label: "Model", plural: "models", isKept: true },
  operation_type: { label: "Type", plural: "types", isKept: true },
  agent_id: { label: "Agent", plural: "agents", isKept: true },
  action_id: { label: "Action", plural: "actions", isKept: true },
  outcome: { label: "Outcome", plural: "outcomes", isKept: false },
  session_id: { label: "Session", plural: "sessions", isKept: false },
  user_id: { label: "User", plural: "users", isKept: false },
  service: { label: "Service", plural: "services", isKept: false },
  agent_name: { label: "Agent name", plural: "agent names", isKept: false },
  error_type: { label: "Error", plural: "errors", isKept: false },
  http_status: { label: "HTTP status", plural: "HTTP statuses", isKept: false },
  response_model: { label: "Answered by", plural: "models of answers", isKept: false },
  source_type: { label: "Source type", plural: "source types", isKept: false },
  service_tier: { label: "Service tier", plural: "service tiers", isKept: false },
  processing: { label: "Processing", plural: "kinds of processing", isKept: false },
  cost_status: { label: "Cost status", plural: "cost statuses", isKept: false },
  price_model: { label: "Price of", plural: "models of prices", isKept: false },
  trace_id: { label: "Trace", plural: "traces", isKept: false, isUnique: true },
  call_id: { label: "Call", plural: "calls", isKept: false, isUnique: true },
} satisfies Record<string, Kind>;

type Known = keyof typeof DIMENSIONS;
/** `tag:<key>` groups by the values that operations have under a key. */
export type Dimension = Known | `tag:${string}`;
/** Tags of all keys are one filter, whose values are `key:value`. */
export type FilterName = Known | "tag";

const KNOWN = Object.keys(DIMENSIONS) as Known[];
export const FILTERS: readonly FilterName[] = [...KNOWN, "tag"];
export const KEPT = KNOWN.filter((name) => DIMENSIONS[name].isKept);
/** What there are few enough of to group by; tags come beside them. */
export const OPEN = KNOWN.filter((name) => !DIMENSIONS[name].isKept && !("isUnique" in DIMENSIONS[name]));

const TAG = "tag:";

export function isDimension(text: string): text is Dimension {
  return Object.hasOwn(DIMENSIONS, text) || (text.startsWith(TAG) && text.length > TAG.length);
}

export function isFilter(text: string): text is FilterName {
  return Object.hasOwn(DIMENSIONS, text) || text === "tag";
}

export function isKept(name: Dimension | FilterName): boolean {
  return Object.hasOwn(DIMENSIONS, name) && DIMENSIONS[name as Known].isKept;
}

export function isUnique(name: FilterName): boolean {
  return name !== "tag" && (DIMENSIONS[name] as Kind).isUnique === true;
}

/** The key of a dimension of tags. */
export function tagKey(dimension: Dimension): string | undefined {
  return dimension.startsWith(TAG) ? dimension.slice(TAG.length) : undefined;
}

/** How a dimension and several of its values are called. */
export function kindOf(dimension: Dimension | "tag"): { label: string; plural: string } {
  if (dimension === "tag") return { label: "Tag", plural: "tags" };
  const key = tagKey(dimension);
  return key === undefined ? DIMENSIONS[dimension as Known] : { label: `Tag ${key}`, plural: `values of tag ${key}` };
}

/** In place of values beyond the combinations that are kept. */
export const OTHER = "(other)";

/** How a value is called; "" and null are operations without one. */
export function valueName(dimension: Dimension, value: string | null): string {
  const { label, plural } = kindOf(dimension);
  if (value === null || value === "") return `no ${label.toLowerCase()}`;
  return value === OTHER ? `other ${plural}` : legible(value);
}

/** The filter that chooses operations with a value of a dimension. */
export function filterOf(dimension: Dimension, value: string | null): { name: FilterName; value: string } {
  const key = tagKey(dimension);
  return key === undefined ? { name: dimension as Known, value: value ?? "" } : { name: "tag", value: `${key}:${value ?? ""}` };
}

/** The dimension and the value that a filter is of. */
export function dimensionOf(name: FilterName, value: string): { dimension: Dimension; value: string } {
  if (name !== "tag") return { dimension: name, value };
  const [key = "", ...rest] = value.split(":");
  return { dimension: `tag:${key}`, value: rest.join(":") };
}

// What operations are grouped and filtered by.

interface Kind {
  label: string;
  plural: string;
  /** Whether numbers over time can be grouped and filtered by it; the others choose among single operations only. */
  isCounted: boolean;
}

export const DIMENSIONS = {
  workspace: { label: "Workspace", plural: "workspaces", isCounted: true },
  project: { label: "Project", plural: "projects", isCounted: true },
  team: { label: "Team", plural: "teams", isCounted: true },
  environment: { label: "Environment", plural: "environments", isCounted: true },
  provider: { label: "Provider", plural: "providers", isCounted: true },
  model: { label: "Model", plural: "models", isCounted: true },
  operation_type: { label: "Type", plural: "types", isCounted: true },
  agent_id: { label: "Agent", plural: "agents", isCounted: true },
  action_id: { label: "Action", plural: "actions", isCounted: true },
  success: { label: "Success", plural: "outcomes", isCounted: false },
  session_id: { label: "Session", plural: "sessions", isCounted: false },
  user_id: { label: "User", plural: "users", isCounted: false },
  error_type: { label: "Error", plural: "errors", isCounted: false },
  cost_status: { label: "Cost status", plural: "cost statuses", isCounted: false },
  service: { label: "Service", plural: "services", isCounted: false },
  trace_id: { label: "Trace", plural: "traces", isCounted: false },
} satisfies Record<string, Kind>;

export type Dimension = keyof typeof DIMENSIONS;

export const NAMES = Object.keys(DIMENSIONS) as Dimension[];
export const COUNTED = NAMES.filter((name) => DIMENSIONS[name].isCounted);

export function isDimension(text: string): text is Dimension {
  return Object.hasOwn(DIMENSIONS, text);
}

/** In place of values beyond the combinations that are kept. */
export const OTHER = "(other)";

/** How a value is called; "" and null are operations without one. */
export function valueName(dimension: Dimension, value: string | null): string {
  if (value === null || value === "") return `no ${DIMENSIONS[dimension].label.toLowerCase()}`;
  return value === OTHER ? `other ${DIMENSIONS[dimension].plural}` : value;
}

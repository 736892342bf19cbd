// Where the fields of an operation lead to. Pure.
import { isFilter } from "../../api/dimensions";
import type { View } from "../../state/view";
import type { Operation } from "./listing.svelte";

/** The change of the view that leads to what shares this value with the operation; none where nothing could. */
export function leadOf(operation: Operation, name: string, filters: View["filters"]): Partial<View> | undefined {
  const value = (operation as Record<string, unknown>)[name];
  if (typeof value === "boolean" && name === "success") return filtered({ ...filters, outcome: [value ? "success" : "failure"] });
  if ((typeof value !== "string" && typeof value !== "number") || value === "") return undefined;
  // A session and a trace belong to their workspace: another may have one of the same name.
  const of = operation.workspace ?? "";
  if (name === "session_id") return { page: "sessions", options: { session: String(value), of } };
  if (name === "trace_id") return { page: "traces", options: { trace: String(value), of } };
  return isFilter(name) ? filtered({ ...filters, [name]: [String(value)] }) : undefined;
}

function filtered(filters: View["filters"]): Partial<View> {
  return { page: "operations", options: {}, filters };
}

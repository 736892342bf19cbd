// Columns that a list of operations can have. Pure.
import { count, exactCount } from "../../numbers/count";
import { duration, exactDuration } from "../../numbers/duration";
import { exactUsd, usd } from "../../numbers/money";
import { exactMoment, recent } from "../../time/shown";
import type { Operation } from "./listing.svelte";

export interface Column {
  name: string;
  label: string;
  isNumber?: boolean;
  /** A phone has no room for it. */
  isExtra?: boolean;
}

export const COLUMNS: readonly Column[] = [
  { name: "time", label: "Time" },
  { name: "operation_type", label: "Type" },
  { name: "provider", label: "Provider", isExtra: true },
  { name: "model", label: "Model" },
  { name: "agent_id", label: "Agent", isExtra: true },
  { name: "action_id", label: "Action", isExtra: true },
  { name: "session_id", label: "Session", isExtra: true },
  { name: "user_id", label: "User", isExtra: true },
  { name: "workspace", label: "Workspace", isExtra: true },
  { name: "project", label: "Project", isExtra: true },
  { name: "team", label: "Team", isExtra: true },
  { name: "environment", label: "Environment", isExtra: true },
  { name: "service", label: "Service", isExtra: true },
  { name: "error_type", label: "Error", isExtra: true },
  { name: "input_tokens", label: "In", isNumber: true, isExtra: true },
  { name: "cache_read_tokens", label: "From cache", isNumber: true, isExtra: true },
  { name: "output_tokens", label: "Out", isNumber: true, isExtra: true },
  { name: "latency_us", label: "Latency", isNumber: true, isExtra: true },
  { name: "ttft_us", label: "First token", isNumber: true, isExtra: true },
  { name: "cost_usd", label: "Cost", isNumber: true },
  { name: "cost_status", label: "Cost status", isExtra: true },
  { name: "trace_id", label: "Trace", isExtra: true },
];

export const USUAL = ["time", "operation_type", "model", "agent_id", "action_id", "session_id", "input_tokens", "output_tokens", "latency_us", "cost_usd"];

/** Those that a text of names separated by commas asks for, in the order of the list. */
export function columnsOf(names: readonly string[]): Column[] {
  return COLUMNS.filter((column) => names.includes(column.name));
}

/** What a cell says, and what it says in full. */
export function cellOf(operation: Operation, name: string, zone: string, now: number): { text: string; exact: string } {
  const value = (operation as Record<string, unknown>)[name];
  if (name === "time") {
    const moment = Date.parse(operation.time ?? "");
    return { text: recent(moment, now, zone), exact: exactMoment(moment, zone) };
  }
  if (name === "cost_usd" && (value === null || value === undefined)) return { text: "unpriced", exact: "the cost is not known" };
  if (value === null || value === undefined) return { text: "–", exact: "" };
  if (name.endsWith("_us")) return { text: duration(Number(value)), exact: exactDuration(Number(value)) };
  if (name.endsWith("_usd")) return { text: usd(String(value)), exact: exactUsd(String(value)) };
  if (name.endsWith("_tokens")) return { text: count(Number(value)), exact: exactCount(Number(value)) };
  return { text: String(value), exact: String(value) };
}

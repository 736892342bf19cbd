// Columns that a list of operations can have. Pure.
import { count, exactCount } from "../../numbers/count";
import { duration, exactDuration } from "../../numbers/duration";
import { legible } from "../../numbers/legible";
import { exactUsd, usd } from "../../numbers/money";
import { exactMoment, recent } from "../../time/shown";
import type { Operation } from "./listing.svelte";

export interface Column {
  name: string;
  label: string;
  isNumber?: boolean;
  /** A phone has no room for it. */
  isExtra?: boolean;
  /** Whether the list can be in its order. */
  isOrder?: boolean;
}

export const COLUMNS: readonly Column[] = [
  { name: "time", label: "Time", isOrder: true },
  { name: "operation_type", label: "Type" },
  { name: "provider", label: "Provider", isExtra: true },
  { name: "model", label: "Model" },
  { name: "response_model", label: "Model that answered", isExtra: true },
  { name: "agent_id", label: "Agent", isExtra: true },
  { name: "agent_name", label: "Name of the agent", isExtra: true },
  { name: "action_id", label: "Action", isExtra: true },
  { name: "session_id", label: "Session", isExtra: true },
  { name: "user_id", label: "User", isExtra: true },
  { name: "workspace", label: "Workspace", isExtra: true },
  { name: "project", label: "Project", isExtra: true },
  { name: "team", label: "Team", isExtra: true },
  { name: "environment", label: "Environment", isExtra: true },
  { name: "service", label: "Service", isExtra: true },
  { name: "error_type", label: "Error", isExtra: true },
  { name: "error_message", label: "Message of the error", isExtra: true },
  { name: "http_status", label: "HTTP status", isNumber: true, isExtra: true, isOrder: true },
  { name: "attempt", label: "Attempt", isNumber: true, isExtra: true, isOrder: true },
  { name: "finish_reasons", label: "Why it ended", isExtra: true },
  { name: "stream", label: "Streamed", isExtra: true },
  { name: "input_tokens", label: "In", isNumber: true, isExtra: true, isOrder: true },
  { name: "cache_read_tokens", label: "From cache", isNumber: true, isExtra: true, isOrder: true },
  { name: "cache_write_tokens", label: "Into cache", isNumber: true, isExtra: true, isOrder: true },
  { name: "cache_write_1h_tokens", label: "Into cache, 1 h", isNumber: true, isExtra: true, isOrder: true },
  { name: "output_tokens", label: "Out", isNumber: true, isExtra: true, isOrder: true },
  { name: "reasoning_tokens", label: "Reasoning", isNumber: true, isExtra: true, isOrder: true },
  { name: "input_audio_tokens", label: "Audio in", isNumber: true, isExtra: true, isOrder: true },
  { name: "output_audio_tokens", label: "Audio out", isNumber: true, isExtra: true, isOrder: true },
  { name: "input_image_tokens", label: "Images in", isNumber: true, isExtra: true, isOrder: true },
  { name: "output_image_tokens", label: "Images out", isNumber: true, isExtra: true, isOrder: true },
  { name: "web_searches", label: "Searches", isNumber: true, isExtra: true, isOrder: true },
  { name: "latency_us", label: "Latency", isNumber: true, isExtra: true, isOrder: true },
  { name: "ttft_us", label: "First token", isNumber: true, isExtra: true, isOrder: true },
  { name: "queue_us", label: "Queue", isNumber: true, isExtra: true, isOrder: true },
  { name: "generation_us", label: "Generation", isNumber: true, isExtra: true, isOrder: true },
  { name: "cost_usd", label: "Cost", isNumber: true, isOrder: true },
  { name: "input_cost_usd", label: "Cost of input", isNumber: true, isExtra: true, isOrder: true },
  { name: "cache_read_cost_usd", label: "Cost from cache", isNumber: true, isExtra: true, isOrder: true },
  { name: "cache_write_cost_usd", label: "Cost into cache", isNumber: true, isExtra: true, isOrder: true },
  { name: "output_cost_usd", label: "Cost of output", isNumber: true, isExtra: true, isOrder: true },
  { name: "unit_cost_usd", label: "Cost of units", isNumber: true, isExtra: true, isOrder: true },
  { name: "cache_savings_usd", label: "Saved by caches", isNumber: true, isExtra: true, isOrder: true },
  { name: "reported_cost_usd", label: "Reported cost", isNumber: true, isExtra: true, isOrder: true },
  { name: "catalogue_cost_usd", label: "Cost by the catalogue", isNumber: true, isExtra: true, isOrder: true },
  { name: "billed_cost_usd", label: "First cost", isNumber: true, isExtra: true, isOrder: true },
  { name: "cost_status", label: "Cost status", isExtra: true },
  { name: "price_model", label: "Price of", isExtra: true },
  { name: "price_key", label: "Price key", isExtra: true },
  { name: "price_version", label: "Prices of", isExtra: true },
  { name: "service_tier", label: "Tier", isExtra: true },
  { name: "processing", label: "Processing", isExtra: true },
  { name: "endpoint", label: "Endpoint", isExtra: true },
  { name: "source_type", label: "Source", isExtra: true },
  { name: "temperature", label: "Temperature", isNumber: true, isExtra: true },
  { name: "max_tokens", label: "Most tokens", isNumber: true, isExtra: true, isOrder: true },
  { name: "call_id", label: "Call", isExtra: true },
  { name: "response_id", label: "Response", isExtra: true },
  { name: "trace_id", label: "Trace", isExtra: true },
  { name: "span_id", label: "Span", isExtra: true },
  { name: "parent_span_id", label: "Span around it", isExtra: true },
  { name: "producer_id", label: "Producer", isExtra: true },
  { name: "has_content", label: "Has content", isExtra: true },
  { name: "operation_id", label: "Id", isExtra: true },
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
  if (Array.isArray(value)) return { text: legible(value.join(", ")), exact: "" };
  if (typeof value === "boolean") return { text: value ? "yes" : "no", exact: "" };
  if (name.endsWith("_tokens")) return { text: count(Number(value)), exact: exactCount(Number(value)) };
  const text = legible(String(value));
  return { text, exact: text };
}

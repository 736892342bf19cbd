// Answers that the description of the server does not have yet.
import type { Schemas } from "./client";

/** What was read to answer. */
export interface Scanned {
  files: number;
  operations: number;
  bytes?: number;
  milliseconds: number;
}

type Operation = Schemas["StoredOperation"];

interface Chosen {
  complete_to: string | null;
  scanned: Scanned;
  /** Those beyond the limit. */
  left_out: number;
}

export interface Session {
  workspace: string;
  session_id: string;
  first_at: string;
  last_at: string;
  operations: number;
  failures: number;
  unpriced: number;
  input_tokens: number;
  output_tokens: number;
  cost_usd: string;
  /** Latencies of all operations together. */
  busy_us: number;
  agents: string[];
  models: string[];
  users: string[];
}

export type SessionsAnswer = Chosen & { sessions: Session[] };

export type SessionOperation = Operation & { cost_so_far_usd: string };

export interface SessionAnswer {
  workspace: string;
  session_id: string;
  scanned: Scanned;
  operations: SessionOperation[];
  next_after: string | null;
}

export interface Trace {
  workspace: string;
  trace_id: string;
  first_at: string;
  last_at: string;
  operations: number;
  failures: number;
  cost_usd: string;
  input_tokens: number;
  output_tokens: number;
  /** From the first start to the last end. */
  duration_us: number;
  root: { operation_type: string; agent_id?: string | null; agent_name?: string | null; model?: string | null; service?: string | null } | null;
}

export type TracesAnswer = Chosen & { traces: Trace[] };

export interface TraceAnswer {
  workspace: string;
  trace_id: string;
  scanned: Scanned;
  operations: Operation[];
  /** Whether there are more than were answered. */
  truncated: boolean;
}

/** What the topic had in a second, of those that pass the filters. */
export interface LiveRates {
  at: string;
  operations: number;
  failures: number;
  input_tokens: number;
  output_tokens: number;
}

export interface SqlAnswer {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  /** Whether there are more rows than were answered. */
  truncated: boolean;
  scanned: Scanned;
}

export interface SqlTables {
  tables: { name: string; columns: { name: string; type: string; description: string }[] }[];
  limits: { seconds: number; memory_bytes: number; rows: number };
  examples: { title: string; sql: string }[];
}

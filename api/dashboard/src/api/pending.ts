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

export interface PipelinePartition {
  topic: string;
  partition: number;
  /** The high watermark. */
  log_end: number;
  /** The next offset to be stored, and to be counted in windows. */
  stored_offset: number;
  windowed_offset: number | null;
  lag: number;
  windowed_lag: number | null;
  observed_at: string;
  owner: string | null;
}

interface FileSum {
  files: number;
  rows: number;
  bytes?: number;
}

export interface PipelineAnswer {
  complete_to: string | null;
  at: string;
  partitions: PipelinePartition[];
  /** Of the last hour. */
  rates: { minute: string; operations: number; duplicates: number; dead: number; skipped: number }[];
  files: {
    operations: FileSum;
    contents: FileSum;
    waiting_for_windows: FileSum;
    given_up: number;
    /** The last 31 days that have files. */
    days: { day: string; files: number; rows: number; bytes: number }[];
  };
  dead_letters: { total: number; not_redriven: number; reasons: { reason_code: string; count: number; not_redriven: number }[] };
  retention_floor: string | null;
  generation: number;
  rebuild: unknown;
  repricing: unknown;
  roles: { name: string; ok: boolean; message?: string | null }[];
}

export interface DeadLetter {
  /** `stream/partition/offset`. */
  letter_id: string;
  topic: string;
  partition: number;
  offset: number;
  reason_code: string;
  reason: string;
  operation_id: string | null;
  stored_at: string;
  redriven_at: string | null;
  record_timestamp: string | null;
  bytes: number;
}

export interface DeadLettersAnswer {
  letters: DeadLetter[];
  next_cursor: string | null;
}

export type WholeLetter = DeadLetter & {
  headers: unknown;
  key_preview: string | null;
  value_preview: string | null;
  /** What can be read of it. */
  decoded: unknown;
};

export interface RedriveAnswer {
  redriven: number;
  refused: { letter_id: string; message: string }[];
}

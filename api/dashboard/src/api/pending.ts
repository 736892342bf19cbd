// Answers that the description of the server does not have yet.
/** What the topic had in a second, of those that pass the filters. */
export interface LiveRates {
  at: string;
  operations: number;
  failures: number;
  input_tokens: number;
  output_tokens: number;
}

export interface PipelinePartition {
  topic: string;
  partition: number;
  /** The high watermark. */
  log_end: number | null;
  /** The next offset to be stored, and to be counted in windows. */
  stored_offset: number;
  windowed_offset: number;
  /** Null while the end of the log is not known. */
  lag: number | null;
  windowed_lag: number | null;
  observed_at: string | null;
  owner: string;
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
  /** Of the last hour, the minutes in which something was stored. */
  rates: { minute: string; operations: number; duplicates: number; dead: number; skipped: number }[];
  files: {
    operations: FileSum;
    contents: FileSum;
    waiting_for_windows: FileSum;
    given_up: number;
    /** Of both kinds, by the day on which they were written; the last 31. */
    days: { day: string; files: number; rows: number; bytes: number }[];
  };
  dead_letters: { total: number; not_redriven: number; reasons: { reason_code: string; count: number; not_redriven: number }[] };
  retention_floor: string | null;
  generation: number;
  rebuild: { generation: number } | null;
  repricing: { repricing: number; state: string; asked_at: string; files: number; operations: number; changed: number } | null;
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
  bytes: number | null;
}

export interface DeadLettersAnswer {
  letters: DeadLetter[];
  next_cursor: string | null;
}

export type WholeLetter = DeadLetter & {
  headers: [name: string, value: string | null][];
  key_preview: string | null;
  /** Only where content is asked for. */
  value_preview: string | null;
  /** What can be read of it. */
  decoded: Record<string, unknown> | null;
  /** The first thing that is wrong with it. */
  fault: string | null;
  /** Fields that are not shown unless content is asked for. */
  withheld: string[];
};

export interface RedriveAnswer {
  redriven: number;
  /** Passed over. */
  already_redriven: number;
  refused: { letter_id: string; message: string }[];
}

export type ViewKind = "view" | "dashboard";

/** A saved view or dashboard without what it shows. */
export interface ViewHead {
  view_id: string;
  kind: ViewKind;
  name: string;
  description: string;
  /** Counts its changes. */
  version: number;
  created_at: string;
  updated_at: string;
}

export interface PanelDefinition {
  title: string;
  chart: string;
  measures: string[];
  by?: string[];
  /** Values of dimensions, of which any is meant. */
  filters?: Record<string, string[]>;
  resolution?: string;
  width?: number;
  limit?: number;
}

export interface ViewDefinition {
  address?: string;
  panels?: PanelDefinition[];
}

export type SavedView = ViewHead & { definition: ViewDefinition };

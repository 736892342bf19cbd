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

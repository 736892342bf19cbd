// Answers that the description of the server does not have yet.

/** What was read to answer. */
export interface Scanned {
  files: number;
  operations: number;
  bytes?: number;
  milliseconds: number;
}

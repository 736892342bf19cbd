// Questions to the server this page came from, and the shapes of its answers.

export interface Figures {
  operations: number;
  failures: number;
  input_tokens: number;
  cache_read_tokens: number;
  output_tokens: number;
  cost_usd: string;
  reported_cost_usd: string;
  unpriced: number;
}

export interface Totals extends Figures {
  unattributed?: number;
  complete_to: string | null;
}

export interface SeriesPoint extends Figures {
  start: string;
}

export interface Series {
  from: string;
  to: string;
  resolution: Resolution;
  series: { points: SeriesPoint[] }[];
}

export interface BreakdownRow extends Figures {
  dimensions: Record<string, string | null>;
  latency_mean_us: number | null;
}

export interface Breakdown {
  rows: BreakdownRow[];
  left_out: number;
  unattributed?: number;
}

export interface Percentiles {
  count: number;
  p50_us: number | null;
  p95_us: number | null;
  p99_us: number | null;
}

export interface LatencySteps {
  points: { start: string; latency: Percentiles }[];
}

export interface LatencyGroups {
  groups: { dimensions: Record<string, string | null>; latency: Percentiles }[];
}

export interface Operation {
  operation_id: string;
  time: string;
  operation_type: string;
  success: boolean;
  provider?: string;
  model?: string;
  session_id?: string;
  agent_name?: string;
  agent_id?: string;
  error_type?: string;
  input_tokens?: number;
  output_tokens?: number;
  latency_us?: number;
  cost_usd: string | null;
  content?: Record<string, string | null> | null;
  [column: string]: unknown;
}

export type Resolution = "minute" | "quarter_hour" | "hour" | "day";

/** The server asks for a token, or for another one. */
export class TokenNeeded extends Error {}

const TOKEN = "opstream-token";

/** Keeps the token for this tab only: it is gone when the tab is closed. */
export function keepToken(token: string): void {
  sessionStorage.setItem(TOKEN, token.trim());
}

/** Whether a token has been given in this tab. */
export function hasToken(): boolean {
  return sessionStorage.getItem(TOKEN) !== null;
}

/** How far this machine's clock is ahead of the server's, as the last answer told. */
let aheadMs = 0;

/** The server's clock, to the second. */
export function serverNow(): number {
  return Date.now() - aheadMs;
}

export async function ask<Answer>(path: string, parameters: Record<string, string> = {}): Promise<Answer> {
  const query = new URLSearchParams(parameters).toString();
  const token = sessionStorage.getItem(TOKEN);
  const response = await fetch(query ? `${path}?${query}` : path, {
    headers: token ? { authorization: `Bearer ${token}` } : {},
    signal: AbortSignal.timeout(15_000),
  });
  const date = Date.parse(response.headers.get("date") ?? "");
  // The header has whole seconds; a small difference is rounding.
  if (!Number.isNaN(date)) aheadMs = Math.abs(Date.now() - date) < 2_000 ? 0 : Date.now() - date;
  if (response.status === 401) throw new TokenNeeded();
  if (!response.ok) throw new Error(await reasonOf(response));
  return (await response.json()) as Answer;
}

async function reasonOf(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error: { message: string } };
    return body.error.message;
  } catch {
    return `the server answered ${response.status}`;
  }
}

// Questions to the server this page came from.
import type { components } from "./schema.mjs";

export type Schemas = components["schemas"];
/** What was read to answer from files. */
export type Scanned = Schemas["Scanned"];
export type Parameters = readonly (readonly [string, string])[];

/** The server asks for a token, or for another one. */
export class TokenNeeded extends Error {}

/** The server answered, but not what was asked for. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
    /** Stays the same whatever the message says. */
    readonly code: string = "",
    /** After how many seconds the server wants to be asked again, when it says so. */
    readonly retryAfter: number | undefined = undefined,
  ) {
    super(message);
  }
}

const TOKEN = "opstream-token";
/** A little more than the server takes before it gives up. */
const TIMEOUT_MS = 35_000;

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

/** Where something of the server is, also behind a proxy that puts the page below a path. */
export function addressOf(path: string): string {
  return new URL(path, document.baseURI).href;
}

/** `path` has no slash at its beginning: it is relative to the page. */
export async function ask<Answer>(path: string, parameters: Parameters = [], signal?: AbortSignal): Promise<Answer> {
  const response = await requested({ path, parameters, signal: withTimeout(signal) });
  return (await response.json()) as Answer;
}

/** Changes something, or asks a question that is too long for an address. Of an answer without a body nothing is returned. */
export async function send<Answer>(method: "POST" | "PUT" | "DELETE", path: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
  const response = await requested({ method, path, body, signal: withTimeout(signal) });
  return (response.status === 204 ? undefined : await response.json()) as Answer;
}

export interface Request {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  path: string;
  parameters?: Parameters;
  body?: unknown;
  signal: AbortSignal;
}

/** An answer of which only the beginning is there: files and streams take as long as they take. */
export async function requested({ method = "GET", path, parameters = [], body, signal }: Request): Promise<Response> {
  const query = new URLSearchParams(parameters.map(([name, value]) => [name, value])).toString();
  const token = sessionStorage.getItem(TOKEN);
  const response = await told(fetch(addressOf(query ? `${path}?${query}` : path), {
    method,
    headers: {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    signal,
  }));
  const date = Date.parse(response.headers.get("date") ?? "");
  // The header has whole seconds; a small difference is rounding.
  if (!Number.isNaN(date)) aheadMs = Math.abs(Date.now() - date) < 2_000 ? 0 : Date.now() - date;
  if (response.status === 401) throw new TokenNeeded();
  if (!response.ok) throw await refusalOf(response);
  return response;
}

let listener: (isThere: boolean) => void = () => undefined;

/** Has somebody told with every question whether the server is there. */
export function onReach(listen: (isThere: boolean) => void): void {
  listener = listen;
}

/** A refusal is an answer too; what the reader left says nothing. */
async function told(answer: Promise<Response>): Promise<Response> {
  try {
    const response = await answer;
    listener(true);
    return response;
  } catch (error) {
    if (isLost(error)) listener(false);
    throw error;
  }
}

function isLost(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === "TimeoutError");
}

function withTimeout(signal: AbortSignal | undefined): AbortSignal {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  return signal ? AbortSignal.any([signal, timeout]) : timeout;
}

/** Why there is no answer, for people. */
export function reasonOf(error: unknown): string {
  if (error instanceof DOMException && error.name === "TimeoutError") return "no answer in time";
  if (error instanceof TypeError) return "the server cannot be reached";
  return error instanceof Error ? error.message : "no answer";
}

async function refusalOf(response: Response): Promise<Refused> {
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfter = Number.isFinite(seconds) ? seconds : undefined;
  try {
    const { error } = (await response.json()) as Schemas["ErrorAnswer"];
    return new Refused(response.status, error.message, error.code, retryAfter);
  } catch {
    return new Refused(response.status, `the server answered ${response.status}`, "", retryAfter);
  }
}

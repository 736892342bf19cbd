// Questions that read files are asked a few at a time, and again when the server is busy with those of others.
import { Refused } from "./client";

const AT_ONCE = 2;
const ATTEMPTS = 4;

let running = 0;
const waiting: (() => void)[] = [];

/** Asks when it is this question's turn. */
export async function inTurn<T>(asking: () => Promise<T>, signal: AbortSignal): Promise<T> {
  if (running >= AT_ONCE) await new Promise<void>((begin) => waiting.push(begin));
  running += 1;
  try {
    signal.throwIfAborted();
    return await patiently(asking, signal);
  } finally {
    running -= 1;
    waiting.shift()?.();
  }
}

/** Asks again, some times, while the server is busy. */
export async function patiently<T>(asking: () => Promise<T>, signal: AbortSignal, wait: (seconds: number, signal: AbortSignal) => Promise<void> = pause): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await asking();
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== "busy" || attempt === ATTEMPTS) throw error;
      await wait((error.retryAfter ?? 1) * attempt, signal);
    }
  }
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, seconds * 1000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(signal.reason as Error);
    });
  });
}

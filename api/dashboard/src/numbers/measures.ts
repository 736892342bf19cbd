// What can be measured: how each measure is called, written and judged. Pure.
import { count, exactCount, exactPercent, GAP, percent } from "./count";
import { duration, exactDuration } from "./duration";
import { exactUsd, usd } from "./money";

/** As it stands in answers: money is decimal text, null is unknown. */
export type Value = number | string | null;

type Kind = "count" | "share" | "usd" | "micros" | "per_second";

interface MeasureOf {
  label: string;
  kind: Kind;
  /** Which way is good news; none where neither is. */
  better?: "up" | "down";
  /** Windows do not keep it: it is counted from files. */
  isOfFiles?: true;
}

export const MEASURES = {
  operations: { label: "Operations", kind: "count" },
  failures: { label: "Failures", kind: "count", better: "down" },
  failure_rate: { label: "Failure rate", kind: "share", better: "down" },
  input_tokens: { label: "Input tokens", kind: "count" },
  cache_read_tokens: { label: "Tokens from caches", kind: "count" },
  output_tokens: { label: "Output tokens", kind: "count" },
  total_tokens: { label: "Tokens", kind: "count" },
  tokens_per_operation: { label: "Tokens per operation", kind: "count" },
  cost_usd: { label: "Cost", kind: "usd", better: "down" },
  reported_cost_usd: { label: "Reported cost", kind: "usd" },
  unpriced: { label: "Unpriced operations", kind: "count", better: "down" },
  input_cost_usd: { label: "Input", kind: "usd" },
  cache_read_cost_usd: { label: "Cache reads", kind: "usd" },
  cache_write_cost_usd: { label: "Cache writes", kind: "usd" },
  output_cost_usd: { label: "Output", kind: "usd" },
  unit_cost_usd: { label: "Searches and other units", kind: "usd" },
  cache_savings_usd: { label: "Saved by caches", kind: "usd", better: "up" },
  compared: { label: "Compared operations", kind: "count" },
  reported_difference_usd: { label: "Reported less ours", kind: "usd" },
  cost_per_operation_usd: { label: "Cost per operation", kind: "usd", better: "down" },
  cost_per_1k_tokens_usd: { label: "Cost per 1,000 tokens", kind: "usd", better: "down" },
  latency_mean_us: { label: "Mean latency", kind: "micros", better: "down" },
  latency_p50_us: { label: "Latency p50", kind: "micros", better: "down" },
  latency_p90_us: { label: "Latency p90", kind: "micros", better: "down" },
  latency_p95_us: { label: "Latency p95", kind: "micros", better: "down" },
  latency_p99_us: { label: "Latency p99", kind: "micros", better: "down" },
  ttft_p50_us: { label: "First token p50", kind: "micros", better: "down" },
  ttft_p90_us: { label: "First token p90", kind: "micros", better: "down" },
  ttft_p95_us: { label: "First token p95", kind: "micros", better: "down" },
  ttft_p99_us: { label: "First token p99", kind: "micros", better: "down" },
  ttft_mean_us: { label: "Mean first token", kind: "micros", better: "down" },
  retries: { label: "Retries", kind: "count", better: "down", isOfFiles: true },
  retry_rate: { label: "Retry rate", kind: "share", better: "down", isOfFiles: true },
  queue_mean_us: { label: "Mean time in queue", kind: "micros", better: "down", isOfFiles: true },
  queue_p50_us: { label: "Queue p50", kind: "micros", better: "down", isOfFiles: true },
  queue_p95_us: { label: "Queue p95", kind: "micros", better: "down", isOfFiles: true },
  generation_mean_us: { label: "Mean generation", kind: "micros", better: "down", isOfFiles: true },
  generation_p50_us: { label: "Generation p50", kind: "micros", better: "down", isOfFiles: true },
  generation_p95_us: { label: "Generation p95", kind: "micros", better: "down", isOfFiles: true },
  output_tokens_per_second: { label: "Output tokens per second", kind: "per_second", better: "up", isOfFiles: true },
} satisfies Record<string, MeasureOf>;

export type Measure = keyof typeof MEASURES;

export function isMeasure(text: string): text is Measure {
  return Object.hasOwn(MEASURES, text);
}

/** Whether it is estimated, within an error that the answer says. */
export function isPercentile(measure: Measure): boolean {
  return /_p\d\d_us$/.test(measure);
}

export function isOfFiles(measure: Measure): boolean {
  return (MEASURES[measure] as MeasureOf).isOfFiles ?? false;
}

export function labelOf(measure: Measure): string {
  return MEASURES[measure].label;
}

/** Measures of one unit can stand on one axis. */
export function unitOf(measure: Measure): Kind {
  return MEASURES[measure].kind;
}

export function betterOf(measure: Measure): "up" | "down" | undefined {
  return (MEASURES[measure] as MeasureOf).better;
}

/** For a glance; `–` where it is not known. */
export function glance(measure: Measure, value: Value | undefined): string {
  if (value === null || value === undefined) return "–";
  switch (MEASURES[measure].kind) {
    case "count":
      return count(Number(value));
    case "share":
      return percent(Number(value));
    case "usd":
      return usd(String(value));
    case "micros":
      return duration(Number(value));
    case "per_second":
      return `${count(Number(value))}${GAP}/s`;
  }
}

/** Everything that is known of it. */
export function exact(measure: Measure, value: Value | undefined): string {
  if (value === null || value === undefined) return "not known";
  switch (MEASURES[measure].kind) {
    case "count":
      return exactCount(Number(value));
    case "share":
      return exactPercent(Number(value));
    case "usd":
      return exactUsd(String(value));
    case "micros":
      return exactDuration(Number(value));
    case "per_second":
      return `${exactCount(Number(value))} per second`;
  }
}

/** A mark of an axis, where numbers are floats already. */
export function mark(measure: Measure, value: number): string {
  if (value === 0) return MEASURES[measure].kind === "micros" ? `0${GAP}s` : glance(measure, 0);
  // An axis has few digits, which a float keeps; text of one may have an exponent, which decimal text has not.
  return (MEASURES[measure].kind === "usd" ? usd(value.toFixed(12)) : glance(measure, value)).replace(/\.0(?=\D|$)/, "");
}

/** For the lengths and heights of charts. */
export function toHeight(value: Value | undefined): number | null {
  return value === null || value === undefined ? null : Number(value);
}

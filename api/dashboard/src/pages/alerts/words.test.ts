import assert from "node:assert/strict";
import { test } from "node:test";
import { conditionOf, inUnit, scopeOf, sentenceOf, type Alert, type Rule } from "./words";

const stored = { version: 1, problem: null, created_at: "", updated_at: "", name: "a" };
const rule = (rest: object) => ({ ...stored, ...rest }) as Rule;

test("every kind of rule has a sentence", () => {
  assert.equal(conditionOf(rule({ kind: "budget", amount_usd: "500", period: "month", zone: "Asia/Kolkata", thresholds: [50, 100] })), "$500.00 a month (Asia/Kolkata), told at 50, 100 %");
  assert.equal(conditionOf(rule({ kind: "budget", amount_usd: "0.5", rolling: "24h" })), "$0.50 in any 24 hours");
  assert.equal(conditionOf(rule({ kind: "budget", amount_usd: "0.5", rolling: "720h" })), "$0.50 in any 30 days");
  assert.equal(conditionOf(rule({ kind: "budget", amount_usd: "1", period: "hour", thresholds: [100] })), "$1.00 an hour (UTC), told at 100 %");
  assert.equal(conditionOf(rule({ kind: "failure_rate", percent: "5", window_minutes: 15, min_operations: 50 })), "5 % failures within 15 minutes, of at least 50 operations");
  assert.equal(conditionOf(rule({ kind: "latency", measure: "ttft", percentile: 95, above_ms: 2000, window_minutes: 15 })), "time to first token p95 above 2000 ms within 15 minutes");
  assert.equal(conditionOf(rule({ kind: "unpriced", count: 3, window_minutes: 60 })), "3 operations without a price within 60 minutes");
  assert.equal(conditionOf(rule({ kind: "anomaly", measure: "cost", factor: "3", minimum: "5", weeks: 4 })), "cost 3 times the median of the same hour (UTC) in 4 weeks, at least $5.00");
});

test("a rule says whom it is about", () => {
  assert.equal(scopeOf(rule({ kind: "budget", workspace: "acme", filter: { team: "search", agent_id: "" } })), "workspace acme, team search, agent_id none");
  assert.equal(scopeOf(rule({ kind: "budget", per: ["provider", "model"] })), "all workspaces, each provider and model by itself");
});

test("values have the unit of the alert", () => {
  assert.equal(inUnit("400.12", "usd"), "$400.12");
  assert.equal(inUnit("3.02", "percent"), "3.02\u00a0%");
  assert.equal(inUnit("1200", "operations"), "1,200");
  assert.equal(inUnit("3409.202", "ms"), "3.4\u00a0s");
});

test("an alert says whom it is about, what was seen and what is allowed", () => {
  const alert = { rule: "month", kind: "budget", dimensions: { workspace: "acme", agent_id: null }, value: "10.13223343", limit: "10", unit: "usd", threshold_percent: 50 };
  assert.equal(sentenceOf(alert as unknown as Alert), "month (acme, none): $10.13, limit $10.00, 50\u00a0% of the budget");
  assert.equal(sentenceOf({ ...alert, dimensions: {}, unit: "percent", value: "3.02", limit: "1", threshold_percent: null } as unknown as Alert), "month: 3.02\u00a0%, limit 1\u00a0%");
});

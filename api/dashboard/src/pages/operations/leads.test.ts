import assert from "node:assert/strict";
import { test } from "node:test";
import { leadOf } from "./leads";
import type { Operation } from "./listing.svelte";

const operation = { workspace: "acme", session_id: "s&1", trace_id: "ab", model: "m", http_status: 429, success: false, latency_us: 5, user_id: "" } as unknown as Operation;

test("sessions and traces are those of the workspace", () => {
  assert.deepEqual(leadOf(operation, "session_id", { team: ["a"] }), { page: "sessions", options: { session: "s&1", of: "acme" } });
  assert.deepEqual(leadOf(operation, "trace_id", {}), { page: "traces", options: { trace: "ab", of: "acme" } });
});

test("what can be filtered by is, beside the other filters", () => {
  assert.deepEqual(leadOf(operation, "model", { model: ["other"], team: ["a"] }), { page: "operations", options: {}, filters: { model: ["m"], team: ["a"] } });
  assert.deepEqual(leadOf(operation, "http_status", {})?.filters, { http_status: ["429"] });
  assert.deepEqual(leadOf(operation, "success", {})?.filters, { outcome: ["failure"] });
  for (const name of ["latency_us", "user_id", "agent_id"]) assert.equal(leadOf(operation, name, {}), undefined, name);
});

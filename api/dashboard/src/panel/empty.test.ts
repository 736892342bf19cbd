import assert from "node:assert/strict";
import { test } from "node:test";
import type { QueryAnswer } from "../api/query";
import { emptyText } from "./empty";

const none: QueryAnswer = { from: "", to: "", zone: "UTC", source: "windows", complete_to: null, dimensions: [], measures: [], groups: [], left_out: 0, unattributed: 0 };

test("operations that cost nothing are operations", () => {
  const some = { ...none, groups: [{ dimensions: {}, totals: { cost_usd: "0.00", operations: 3 } }] };
  assert.equal(emptyText(some, "cost_usd"), "These operations cost nothing that is known.");
  assert.equal(emptyText({ ...none, groups: [{ dimensions: {}, totals: { cost_usd: "0.00", operations: 0 } }] }, "cost_usd"), "No operations in this range.");
  assert.equal(emptyText(none, "cost_usd"), "No operations in this range.");
  assert.equal(emptyText(undefined, "cost_usd"), "No operations in this range.");
});

test("groups are of operations, whatever was asked of them", () => {
  const some: QueryAnswer = { ...none, dimensions: ["model"], groups: [{ dimensions: { model: "a" }, totals: { output_tokens: 0 } }] };
  assert.equal(emptyText(some, "output_tokens"), "Nothing of output tokens is known of these operations.");
});

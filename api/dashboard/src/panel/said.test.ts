import assert from "node:assert/strict";
import { test } from "node:test";
import { besideMoney, knownValues, said } from "./said";

test("a group without any price costs what is not known", () => {
  const totals = { cost_usd: "0.00", cost_per_1k_tokens_usd: "0.00", cost_per_operation_usd: null, operations: 3, unpriced: 3 };
  assert.deepEqual(said("cost_usd", totals), { text: "unpriced", exact: "not known, of 3 unpriced operations" });
  assert.equal(said("cost_per_1k_tokens_usd", totals).text, "unpriced");
  assert.equal(said("cost_per_operation_usd", totals).text, "unpriced");
  assert.equal(said("operations", totals).text, "3");
});

test("what is not in an amount is told", () => {
  const totals = { cost_usd: "1.50", cost_per_operation_usd: "0.75", operations: 3, unpriced: 1 };
  assert.deepEqual(said("cost_usd", totals), { text: "$1.50 +", exact: "$1.50, without 1 unpriced operation" });
  assert.deepEqual(said("cost_per_operation_usd", totals), { text: "$0.75", exact: "$0.75, without 1 unpriced operation" }, "a mean of those that have a price");
  assert.equal(said("reported_cost_usd", { ...totals, reported_cost_usd: "2" }).text, "$2.00");
});

test("where the known part costs nothing, it is told by what most operations are", () => {
  assert.equal(said("cost_usd", { cost_usd: "0.00", operations: 3_400, unpriced: 312 }).text, "$0 +");
  const totals = { cost_usd: "0.00", cost_per_operation_usd: "0.00", operations: 3, unpriced: 2 };
  assert.deepEqual(said("cost_usd", totals), { text: "unpriced", exact: "$0.00, without 2 unpriced operations" });
  assert.equal(said("cost_per_operation_usd", totals).text, "$0");
});

test("what costs nothing still does, and nothing is unpriced where nothing is", () => {
  assert.deepEqual(said("cost_usd", { cost_usd: "0.00", operations: 5, unpriced: 0 }), { text: "$0", exact: "$0.00" });
  assert.equal(said("cost_usd", { cost_usd: "0.00", operations: 0, unpriced: 0 }).text, "$0");
  assert.equal(said("cost_usd", undefined).text, "–");
});

test("steps of which nothing has a price are gaps", () => {
  const series = { cost_usd: ["0", "0", "1"], operations: [2, 2, 2], unpriced: [2, 0, 1] };
  assert.deepEqual(knownValues("cost_usd", series), [null, "0", "1"]);
  assert.deepEqual(knownValues("operations", series), [2, 2, 2]);
});

test("only money asks for more", () => {
  assert.deepEqual(besideMoney(["failures", "reported_cost_usd"]), []);
  assert.deepEqual(besideMoney(["failures", "cost_usd"]), ["operations", "unpriced"]);
});

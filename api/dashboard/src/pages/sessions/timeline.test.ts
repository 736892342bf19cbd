import assert from "node:assert/strict";
import { test } from "node:test";
import { costSoFar, indexAt, momentsOf, stripOf } from "./timeline";

const at = (seconds: number, latency_us: number, rest: object = {}) => ({ started_at: new Date(Date.UTC(2026, 10, 28) + seconds * 1000).toISOString(), latency_us, ...rest });
const operations = [
  at(0, 2_000_000, { cost_so_far_usd: "0.25" }),
  at(1, 500_000, { success: false, cost_so_far_usd: "0.25" }),
  at(10, 0, { cost_so_far_usd: "1" }),
];

test("a gap is counted from the end of whatever was still under way", () => {
  assert.deepEqual(momentsOf(operations), [
    { from: 0, to: 2_000, gap: undefined },
    { from: 1_000, to: 1_500, gap: -1_000 },
    { from: 10_000, to: 10_000, gap: 8_000 },
  ]);
  assert.deepEqual(momentsOf([]), []);
});

test("the cost is added up to the last digit, and goes on where the part before ended", () => {
  const costs = [{ cost_usd: "0.1" }, { cost_usd: null }, { cost_usd: "0.000000002" }, {}];
  assert.deepEqual(costSoFar(costs).map((one) => one.cost_so_far_usd), ["0.1", "0.1", "0.100000002", "0.100000002"]);
  assert.deepEqual(costSoFar(costs.slice(0, 1), "0.2").map((one) => one.cost_so_far_usd), ["0.3"]);
});

test("the strip has a box for each, and steps that end at the whole cost", () => {
  const strip = stripOf(operations, momentsOf(operations), 100, 60);
  assert.equal(strip.succeeded, "M0 48h20v12H0zM100 48h1v12H100z");
  assert.equal(strip.failed, "M10 48h5v12H10z");
  assert.equal(strip.most, 1);
  assert.equal(strip.length, 10_000);
  assert.match(strip.cost, /^M0 44H0V34H10V34H100V4H100$/);
});

test("an operation is found by where its start lies", () => {
  const moments = momentsOf(operations);
  assert.deepEqual([0, 0.05, 0.1, 0.99, 1].map((share) => indexAt(share, moments)), [0, 0, 1, 1, 2]);
});

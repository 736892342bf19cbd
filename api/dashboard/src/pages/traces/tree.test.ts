import assert from "node:assert/strict";
import { test } from "node:test";
import { partsOf, startOf, treeOf, visible, type SpanOf } from "./tree";

const span = (span_id: string, parent_span_id: string | undefined, second: number, rest: Partial<SpanOf> = {}): SpanOf => ({
  operation_id: span_id, span_id, ...(parent_span_id === undefined ? {} : { parent_span_id }), started_at: `2026-11-28T00:00:${String(second).padStart(2, "0")}.000250Z`, latency_us: 1_000_000, ...rest,
});
const names = (nodes: { span: SpanOf; depth: number }[]) => nodes.map(({ span: one, depth }) => `${"-".repeat(depth)}${one.span_id}`);

test("children follow their parents by their start", () => {
  const nodes = treeOf([span("b", "a", 3), span("c", "a", 1), span("a", undefined, 0), span("d", "c", 2, { success: false })]);
  assert.deepEqual(names(nodes), ["a", "-c", "--d", "-b"]);
  assert.deepEqual(nodes.map(({ below, failsBelow }) => [below, failsBelow]), [[3, true], [1, true], [0, false], [0, false]]);
  assert.deepEqual([nodes[2]?.from, nodes[2]?.to], [2_000_000, 3_000_000]);
});

test("a parent that is not there makes an orphan, and circles end", () => {
  const nodes = treeOf([span("a", "gone", 1), span("x", "y", 2), span("y", "x", 3), span("self", "self", 4)]);
  assert.deepEqual(names(nodes), ["a", "y", "-x", "self"]);
  assert.deepEqual(nodes.map(({ isOrphan }) => isOrphan), [true, false, false, false]);
  assert.equal(treeOf([]).length, 0);
});

test("ids that come twice lose nothing", () => {
  assert.deepEqual(names(treeOf([span("a", undefined, 0), { ...span("a", undefined, 1), operation_id: "again" }, span("b", "a", 2)])), ["a", "-b", "a"]);
});

test("a chain of thousands is no trouble", () => {
  const nodes = treeOf(Array.from({ length: 5_000 }, (_, at) => span(String(at), at === 0 ? undefined : String(at - 1), 0)));
  assert.equal(nodes.at(-1)?.depth, 4_999);
  assert.equal(nodes[0]?.below, 4_999);
});

test("what is closed hides all below it", () => {
  const nodes = treeOf([span("a", undefined, 0), span("b", "a", 1), span("c", "b", 2), span("d", undefined, 3)]);
  assert.deepEqual(names(visible(nodes, new Set(["a"]))), ["a", "d"]);
  assert.deepEqual(names(visible(nodes, new Set(["b", "c"]))), ["a", "-b", "d"]);
});

test("a latency has the parts that are known", () => {
  assert.deepEqual(partsOf({ latency_us: 100, queue_us: 10, ttft_us: 40 }), [{ kind: "queue", from: 0, to: 10 }, { kind: "waiting", from: 10, to: 40 }, { kind: "generation", from: 40, to: 100 }]);
  assert.deepEqual(partsOf({ latency_us: 100 }), [{ kind: "whole", from: 0, to: 100 }]);
  assert.deepEqual(partsOf({ latency_us: 100, ttft_us: 300 }), [{ kind: "waiting", from: 0, to: 100 }], "never longer than the whole");
  assert.deepEqual(partsOf({ latency_us: 100, queue_us: 50, ttft_us: 20 }).at(-1), { kind: "generation", from: 50, to: 100 });
  assert.deepEqual(partsOf({ queue_us: 3 }), []);
});

test("starts keep their microseconds", () => {
  assert.equal(startOf({ started_at: "1970-01-01T00:00:01.000007Z" }), 1_000_007);
  assert.equal(startOf({ time: "1970-01-01T00:00:01.5Z" }), 1_500_000);
  assert.equal(startOf({ time: "1970-01-01T00:00:01Z" }), 1_000_000);
});

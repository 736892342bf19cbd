import assert from "node:assert/strict";
import { test } from "node:test";
import { HOUR } from "../time/zone";
import { titleOf, waysOut } from "./ways";

const view = { range: { name: "7d" as const }, filters: {}, options: {} };

test("what takes too long is shortened, or asked by what windows know", () => {
  assert.deepEqual(waysOut("too_slow", view), [{ label: "Last 24 hours", change: { range: { name: "24h" } } }]);
  const filters = { team: ["search"], user_id: ["u"], tag: ["a:b"] };
  assert.deepEqual(waysOut("too_much_memory", { ...view, filters }).map((way) => way.change), [{ range: { name: "24h" } }, { filters: { team: ["search"] } }]);
});

test("too many groups are not split as the reader chose", () => {
  const ways = waysOut("too_many_groups", { ...view, options: { split: "user_id", order: "operations" } });
  assert.deepEqual(ways.at(-1), { label: "Split as usual", change: { options: { order: "operations" } } });
});

test("chosen moments are halved, as long as anything is left", () => {
  const to = Date.parse("2026-11-28T00:00Z");
  assert.deepEqual(waysOut("too_slow", { ...view, range: { from: to - 10 * HOUR, to } })[0]?.change, { range: { from: to - 5 * HOUR, to } });
  assert.deepEqual(waysOut("too_slow", { ...view, range: { from: to - HOUR, to } }), []);
  assert.deepEqual(waysOut("too_slow", { ...view, range: { name: "15m" } }), []);
});

test("other troubles have no such way", () => {
  assert.deepEqual(waysOut("busy", view), []);
  assert.equal(titleOf("busy"), "The server is busy with other questions");
  assert.equal(titleOf("internal"), undefined);
  assert.deepEqual(waysOut("toString", view), []);
});

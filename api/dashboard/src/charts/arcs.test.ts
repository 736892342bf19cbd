import assert from "node:assert/strict";
import { test } from "node:test";
import { arcs } from "./arcs";

test("halves meet at the bottom, and nothing has no piece", () => {
  const [half] = arcs([{ key: "a", value: 1 }, { key: "b", value: 1 }, { key: "c", value: 0 }], 100, 20);
  assert.match(half?.path ?? "", /^M0 -100A100 100 0 0 1 1\.5 99\.99/);
  assert.equal(arcs([{ key: "a", value: 1 }, { key: "b", value: 0 }], 100, 20).length, 1);
  assert.deepEqual(arcs([{ key: "a", value: 0 }], 100, 20), []);
});

test("a single piece is a whole ring that can be drawn", () => {
  const [whole] = arcs([{ key: "a", value: 5 }], 10, 2);
  assert.match(whole?.path ?? "", /A10 10 0 1 1/);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { keysOf } from "./tags";

test("the most frequent keys come first, and what is no object has none", () => {
  const tags = [{ b: "1", a: "2" }, { c: "1" }, { c: "2" }, null, "text", ["x"], undefined];
  assert.deepEqual(keysOf(tags.map((one) => ({ tags: one }))), ["c", "a", "b"]);
});

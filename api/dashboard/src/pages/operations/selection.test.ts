import assert from "node:assert/strict";
import { test } from "node:test";
import { selectionOf } from "./selection";

const span = { from: Date.UTC(2026, 10, 23, 8), to: Date.UTC(2026, 10, 23, 9) };

test("every value of a filter is asked for, and both outcomes are none", () => {
  const [from, to, limit, ...rest] = selectionOf({ provider: ["openai"], model: ["a", ""], success: ["false"] }, span, 20);
  assert.deepEqual([from, to, limit], [["from", "2026-11-23T08:00:00.000Z"], ["to", "2026-11-23T09:00:00.000Z"], ["limit", "20"]]);
  assert.deepEqual(rest, [["provider", "openai"], ["model", "a"], ["model", ""], ["success", "false"]]);
  assert.deepEqual(selectionOf({ success: ["true", "false"] }, span, 20).slice(3), []);
});

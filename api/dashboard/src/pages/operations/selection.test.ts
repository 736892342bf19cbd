import assert from "node:assert/strict";
import { test } from "node:test";
import { selectionOf } from "./selection";

const span = { from: Date.UTC(2026, 10, 23, 8), to: Date.UTC(2026, 10, 23, 9) };

test("the server is asked for every value of every filter", () => {
  const [from, to, limit, ...rest] = selectionOf({ provider: ["openai"], model: ["a", ""], outcome: ["failure"], tag: ["a:b"] }, span, 20);
  assert.deepEqual([from, to, limit], [["from", "2026-11-23T08:00:00.000Z"], ["to", "2026-11-23T09:00:00.000Z"], ["limit", "20"]]);
  const expected = [["provider", "openai"], ["model", "a"], ["model", ""], ["outcome", "failure"], ["tag", "a:b"]];
  assert.deepEqual([...rest].sort(), [...expected].sort());
});

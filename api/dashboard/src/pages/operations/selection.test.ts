import assert from "node:assert/strict";
import { test } from "node:test";
import { isLeftToThePage, passes, selectionOf } from "./selection";

const span = { from: Date.UTC(2026, 10, 23, 8), to: Date.UTC(2026, 10, 23, 9) };

test("every value of a filter is asked for, and both outcomes are none", () => {
  const [from, to, limit, ...rest] = selectionOf({ provider: ["openai"], model: ["a", ""], outcome: ["failure"], tag: ["a:b"] }, span, 20);
  assert.deepEqual([from, to, limit], [["from", "2026-11-23T08:00:00.000Z"], ["to", "2026-11-23T09:00:00.000Z"], ["limit", "20"]]);
  assert.deepEqual(rest, [["provider", "openai"], ["model", "a"], ["model", ""], ["success", "false"]]);
  assert.deepEqual(selectionOf({ outcome: ["success", "failure"] }, span, 20).slice(3), []);
});

test("rows are chosen by what the server was not asked for", () => {
  const operation = { http_status: 429, tags: { release: "v1", tier: "free" }, provider: "openai" };
  assert.equal(passes(operation, { provider: ["groq"], team: [""] }), true, "the server has looked at these");
  assert.equal(passes(operation, { http_status: ["500", "429"] }), true);
  assert.equal(passes(operation, { http_status: ["500"] }), false);
  assert.equal(passes(operation, { tag: ["release:v0", "release:v1"] }), true, "values of one key are alternatives");
  assert.equal(passes(operation, { tag: ["release:v1", "tier:gold"] }), false, "keys must all match");
  assert.equal(passes({}, { processing: [""], tag: ["release:"] }), true, "nothing is a value too");
  assert.equal(isLeftToThePage({ tag: ["a:b"] }), true);
  assert.equal(isLeftToThePage({ user_id: ["a"] }), false);
});

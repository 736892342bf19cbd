import assert from "node:assert/strict";
import { test } from "node:test";
import { colourOf, slotOf } from "./colours";

test("a value chooses its colour, not the order in which values come", () => {
  const names = ["gpt-5-mini", "claude-sonnet-5", "search", "production"];
  const [slots, again] = [names, [...names].reverse()].map((list) => new Map(list.map((name) => [name, slotOf(name, new Set())])));
  assert.deepEqual(names.map((name) => slots?.get(name)), names.map((name) => again?.get(name)));
  assert.ok(new Set(slots?.values()).size > 1);
});

test("a colour that is taken leads to the next free one, and back to its own where none is free", () => {
  const own = slotOf("a", new Set());
  assert.equal(slotOf("a", new Set([own])), (own + 1) % 10);
  assert.equal(slotOf("a", new Set([...Array(10).keys()])), own);
});

test("ten values of a dimension have ten colours, and keep them", () => {
  const names = Array.from({ length: 10 }, (_, at) => `model-${at}`);
  const colours = names.map((name) => colourOf("model", name));
  assert.equal(new Set(colours).size, 10);
  assert.deepEqual(names.map((name) => colourOf("model", name)), colours);
});

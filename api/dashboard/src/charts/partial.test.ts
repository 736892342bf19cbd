import assert from "node:assert/strict";
import { test } from "node:test";
import { partial } from "./partial";

const at = (clock: string) => `2026-11-28T${clock}:00.000Z`;
const step = { start: at("21:00"), end: at("22:00") };

test("a step that is over and lies in the range is whole", () => {
  assert.equal(partial(step, { from: at("21:00"), to: at("22:00"), complete_to: at("22:00") }), "");
  assert.equal(partial(step, { from: at("20:00"), to: at("23:00"), complete_to: null }), "");
});

test("a step that goes on, or is cut by the range, says so", () => {
  assert.equal(partial(step, { from: at("20:00"), to: at("21:40"), complete_to: at("21:39") }), "so far");
  assert.equal(partial(step, { from: at("20:00"), to: at("21:40"), complete_to: at("23:00") }), "up to the end of the range");
  assert.equal(partial(step, { from: at("21:20"), to: at("23:00"), complete_to: at("23:00") }), "from the beginning of the range on");
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { branches } from "./tree";

test("actions belong to their agents, and both are in order", () => {
  const group = (agent_id: string | null, action_id: string | null, operations: number) => ({ dimensions: { agent_id, action_id }, totals: { operations } });
  const found = branches([group("a", "x", 1), group(null, null, 5), group("a", "y", 3), group("b", "x", 9)]);
  assert.deepEqual(found.map(({ agent, operations }) => [agent, operations]), [["b", 9], [null, 5], ["a", 4]]);
  assert.deepEqual(found[2]?.actions.map(({ action }) => action), ["y", "x"]);
});

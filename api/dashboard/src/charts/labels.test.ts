import assert from "node:assert/strict";
import { test } from "node:test";
import { placed } from "./labels";

const name = (key: string, x: number, y: number) => ({ key, text: "planner", x, y, gap: 10 });

test("a name stands right of its point, left of it at the edge, and never on another name", () => {
  const found = placed([name("a", 100, 50), name("b", 102, 52), name("c", 104, 54), name("d", 390, 50)], 400);
  assert.deepEqual(found.map(({ key, isEnd }) => [key, isEnd]), [["a", false], ["b", true], ["d", true]]);
});

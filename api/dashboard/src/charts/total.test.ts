import assert from "node:assert/strict";
import { test } from "node:test";
import { restOf, totalOf } from "./total";

test("sums of money keep their digits", () => {
  assert.equal(totalOf(["9007199254740993", "0.000000001", null]), "9007199254740993.000000001");
  assert.equal(totalOf([1, 2, null]), 3);
  assert.equal(totalOf([null]), null);
});

test("the rest and the parts add up to the whole", () => {
  assert.deepEqual(restOf(["1.5", "0", null], [["0.5", "0", "0"], ["0.25", "0", "0"]]), ["0.75", "0", null]);
  assert.deepEqual(restOf([10, 5], [[1, 5], [2, 0]]), [7, 0]);
  assert.deepEqual(restOf(["-1"], [["-3"]]), ["2"]);
});

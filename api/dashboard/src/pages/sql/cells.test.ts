import assert from "node:assert/strict";
import { test } from "node:test";
import { inserted, isNumeric, tabbed, textOf } from "./cells";

test("values are text as they are", () => {
  assert.deepEqual([null, undefined, 0, "a", true, { a: 1 }, [1]].map(textOf), ["", "", "0", "a", "true", '{"a":1}', "[1]"]);
});

test("a column of numbers is one, whatever is missing in it", () => {
  const rows = [[1, "a", null], [null, 2, null]];
  assert.deepEqual([0, 1, 2, 3].map((column) => isNumeric(rows, column)), [true, false, false, false]);
});

test("copied cells stay cells", () => {
  assert.equal(tabbed(["a", "b"], [["x\ty\nz", null], ["=1+1", -1], ["-1.5", "@x"]]), "a\tb\nx y z\t\n'=1+1\t-1\n-1.5\t'@x");
});

test("names are put where the cursor is", () => {
  assert.deepEqual(inserted("select  from t", 7, 7, "model"), { statement: "select model from t", cursor: 12 });
  assert.deepEqual(inserted("select a", 8, 8, "model"), { statement: "select a model", cursor: 14 });
  assert.deepEqual(inserted("select xx", 7, 9, "model"), { statement: "select model", cursor: 12 });
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { isChosen, selectionOf } from "./selection";

test("one value is asked of the server, several are looked for in its answer", () => {
  const { parameters, several } = selectionOf({ provider: ["openai"], model: ["a", ""], success: ["false"] });
  assert.deepEqual(parameters, [["provider", "openai"], ["success", "false"]]);
  assert.equal(isChosen({ model: "a" }, several), true);
  assert.equal(isChosen({}, several), true);
  assert.equal(isChosen({ model: "b" }, several), false);
  assert.equal(isChosen({ success: true }, selectionOf({ success: ["true", "false"] }).several), true);
});

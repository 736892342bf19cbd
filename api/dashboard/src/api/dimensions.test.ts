import assert from "node:assert/strict";
import { test } from "node:test";
import { dimensionOf, filterOf, isDimension, isFilter, isKept, kindOf, valueName } from "./dimensions";

test("a tag is grouped by its key and filtered by key and value", () => {
  assert.deepEqual(filterOf("tag:release", "v1:rc"), { name: "tag", value: "release:v1:rc" });
  assert.deepEqual(dimensionOf("tag", "release:v1:rc"), { dimension: "tag:release", value: "v1:rc" });
  assert.deepEqual(dimensionOf("tag", "release"), { dimension: "tag:release", value: "" });
  assert.equal(kindOf("tag:release").label, "Tag release");
  assert.equal(valueName("tag:release", null), "no tag release");
});

test("other dimensions are filtered by their own names", () => {
  assert.deepEqual(filterOf("user_id", null), { name: "user_id", value: "" });
  assert.deepEqual(dimensionOf("user_id", "a:b"), { dimension: "user_id", value: "a:b" });
  assert.equal(valueName("user_id", ""), "no user");
});

test("what is no dimension is none", () => {
  assert.deepEqual(["model", "outcome", "tag:a", "tag:", "tag", "toString"].map(isDimension), [true, true, true, false, false, false]);
  assert.deepEqual(["model", "tag", "tag:a", "constructor"].map(isFilter), [true, true, false, false]);
  assert.deepEqual((["model", "session_id", "tag", "tag:model"] as const).map(isKept), [true, false, false, false]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { changeOf, isWithinError, type Change } from "./change";

const text = (change: Change | undefined) => change?.text.replaceAll("\u00a0", " ");

test("a change is a share of what was", () => {
  assert.equal(text(changeOf(112, 100)), "+12 %");
  assert.equal(text(changeOf(50, 100)), "−50 %");
  assert.equal(text(changeOf(101.24, 100)), "+1.2 %");
  assert.equal(text(changeOf(2_000, 100)), "×20");
  assert.deepEqual(changeOf(5, 5), { direction: "same", text: "no change", share: 0 });
});

test("from nothing and from the unknown there is no percentage", () => {
  assert.deepEqual(changeOf(5, 0), { direction: "up", text: "from 0", share: null });
  assert.equal(changeOf(null, 5), undefined);
  assert.equal(changeOf(5, undefined), undefined);
});

test("a change of percentiles that their error explains is no news", () => {
  const change = (now: number) => changeOf(now, 100) ?? assert.fail();
  assert.equal(isWithinError(change(102), 0.01), true);
  assert.equal(isWithinError(change(98), 0.01), true);
  assert.equal(isWithinError(change(103), 0.01), false);
  assert.equal(isWithinError(change(101), 0), false);
});

test("money that differs by less than a float sees has changed", () => {
  assert.equal(changeOf("9007199254740993", "9007199254740992")?.direction, "up");
  assert.equal(changeOf("1.50", "1.5")?.direction, "same");
  assert.equal(text(changeOf("-1", "-2")), "+50 %");
});

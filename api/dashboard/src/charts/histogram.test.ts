import assert from "node:assert/strict";
import { test } from "node:test";
import { below, boxes, densities, extentOf, factorMarks, microsAt, outline, xAt } from "./histogram";

const frame = { width: 120, height: 60, left: 10, right: 10, top: 10, bottom: 10 };
const bins = [{ from_us: 1_000, to_us: 10_000, count: 30 }, { from_us: 10_000, to_us: 100_000, count: 10 }];

test("an axis of factors gives every power of ten the same room", () => {
  const extent = extentOf(bins);
  assert.deepEqual(extent, { from: 1_000, to: 100_000 });
  assert.deepEqual([500, 1_000, 10_000, 100_000, 1e9].map((micros) => xAt(micros, extent, frame)), [10, 10, 60, 110, 110]);
  assert.equal(Math.round(microsAt(60, extent, frame)), 10_000);
  assert.deepEqual(factorMarks(extent, 10), [1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000]);
  assert.deepEqual(factorMarks(extent, 4), [1_000, 10_000, 100_000]);
  assert.deepEqual(factorMarks({ from: 1_500, to: 7_000 }, 1), [2_000]);
  assert.deepEqual(extentOf([]), { from: 1_000, to: 1_000_000 });
});

test("a wide bin is no higher for its width", () => {
  assert.deepEqual(densities(bins, 40), [0.75, 0.25]);
  assert.deepEqual(densities([{ from_us: 1_000, to_us: 100_000, count: 40 }], 40), [0.5]);
  assert.deepEqual(densities([{ from_us: 0, to_us: 0, count: 4 }], 4), [0], "nothing is not divided by");
});

test("boxes stand on the ground, and an outline returns to it where nothing is", () => {
  const extent = extentOf(bins);
  assert.equal(boxes(bins, [1, 0.5], 1, extent, frame), "M10 50V10H59.5V50zM60 50V30H109.5V50z");
  assert.equal(outline(bins, [1, 0.5], 1, extent, frame), "M10 50V10H60V30H110V50");
  const apart = [bins[0]!, { from_us: 50_000, to_us: 100_000, count: 1 }];
  assert.match(outline(apart, [1, 1], 1, extent, frame), /^M10 50V10H60V50H94.95V10H110V50$/);
  assert.equal(outline([], [], 1, extent, frame), "");
});

test("what is below a duration counts whole bins and a part of one", () => {
  assert.deepEqual([0, 1_000, 5_500, 10_000, 1e9].map((micros) => below(bins, micros)), [0, 0, 15, 30, 40]);
});

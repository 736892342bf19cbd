import assert from "node:assert/strict";
import { test } from "node:test";
import { bars, highest, layerAt, levels, lines, stepAt, xOf, type Frame, lineAt } from "./plot";

const frame: Frame = { width: 110, height: 100, left: 10, right: 0, top: 0, bottom: 0 };
const series = [
  { key: "a", label: "a", colour: "red", values: ["1", "2"] },
  { key: "b", label: "b", colour: "blue", values: [3, null] },
];

test("stacked bars reach the sum, lines their own value", () => {
  assert.equal(highest(series, true), 4);
  assert.equal(highest(series, false), 3);
  assert.equal(highest([], true), 0);
  assert.deepEqual(levels(0), [0, 1]);
});

test("bars stand on each other and nothing stands where nothing is known", () => {
  const [a, b] = bars(series, 4, frame);
  assert.equal(a?.path, "M15.5 100V75h39V100zM65.5 100V50h39V100z");
  assert.equal(b?.path, "M15.5 75V0h39V75z");
});

test("a point in a bar belongs to the series that is drawn there", () => {
  const at = (step: number, y: number) => layerAt(series, step, y, 4, frame)?.key;
  assert.deepEqual([at(0, 99), at(0, 76), at(0, 74), at(1, 60), at(1, 40)], ["a", "a", "b", "a", undefined]);
});

test("lines go through the middle of steps", () => {
  assert.equal(lines(series, 4, frame)[0]?.path, "M35 75L85 50");
  assert.equal(lines(series, 4, frame)[1]?.path, "M35 25h0");
});

test("the step under the pointer is the one that is drawn there", () => {
  for (const step of [0, 1]) assert.equal(stepAt(xOf(step, 2, frame), 2, frame), step);
  assert.equal(stepAt(-50, 2, frame), 0);
  assert.equal(stepAt(500, 2, frame), 1);
});

test("the nearest line is under the pointer, not one that is far or has a gap", () => {
  const frame = { width: 100, height: 120, left: 0, right: 0, top: 10, bottom: 10 };
  const line = (key: string, values: (number | null)[]) => ({ key, label: key, colour: "", values });
  // A value of 10 is at the top, 10 from the edge; 0 at 110.
  const series = [line("high", [9, 9]), line("low", [8, 1]), line("gap", [null, null])];
  assert.equal(lineAt(series, 0, 22, 10, frame)?.key, "high");
  assert.equal(lineAt(series, 0, 28, 10, frame)?.key, "low");
  assert.equal(lineAt(series, 1, 60, 10, frame), undefined);
});

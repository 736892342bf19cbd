import assert from "node:assert/strict";
import { test } from "node:test";
import { add, compare, divide, magnitude, parseDecimal, round, subtract, sum, toText, trim } from "./decimal";

const d = parseDecimal;

test("sums keep every digit, where floats would not", () => {
  assert.equal(toText(sum(["0.1", "0.2"])), "0.3");
  assert.equal(toText(add(d("9007199254740993"), d("0.000000001"))), "9007199254740993.000000001");
  assert.equal(toText(subtract(d("1"), d("1.000000001"))), "-0.000000001");
});

test("rounding is half to even, on both sides of zero", () => {
  const cases: [string, number, string][] = [
    ["0.125", 2, "0.12"],
    ["0.135", 2, "0.14"],
    ["0.1351", 2, "0.14"],
    ["-0.125", 2, "-0.12"],
    ["-0.126", 2, "-0.13"],
    ["1.5", 0, "2"],
    ["2.5", 0, "2"],
    ["-0.4", 0, "0"],
    ["7", 2, "7"],
  ];
  for (const [text, places, expected] of cases) assert.equal(toText(round(d(text), places)), expected, text);
});

test("division rounds at the last asked digit", () => {
  assert.equal(toText(divide(d("1"), 3n, 9)), "0.333333333");
  assert.equal(toText(divide(d("2"), 3n, 9)), "0.666666667");
  assert.equal(toText(divide(d("0.0000000005"), 1n, 9)), "0.000000000");
  assert.equal(toText(divide(d("-1"), -8n, 2)), "0.12");
  assert.throws(() => divide(d("1"), 0n, 2), RangeError);
});

test("magnitude is the place of the first digit", () => {
  for (const [text, place] of [["3.2", 0], ["320", 2], ["0.0032", -3], ["-0.5", -1], ["1.000", 0]] as const) {
    assert.equal(magnitude(d(text)), place, text);
  }
});

test("text is compared as numbers and trimmed of zeros", () => {
  assert.equal(compare(d("0.10"), d("0.1")), 0);
  assert.equal(compare(d("-2"), d("1")), -1);
  assert.equal(toText(trim(d("1.5000"), 2)), "1.50");
  assert.equal(toText(trim(d("100"))), "100");
});

test("what is no plain decimal number is refused", () => {
  for (const text of ["", "1e5", "0x10", "1,5", "NaN", "."]) assert.throws(() => parseDecimal(text), RangeError, text);
});

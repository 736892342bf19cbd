import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, count, exactCount, exactPercent, percent, share } from "./count";
import { ago, duration, exactDuration } from "./duration";
import { exactUsd, perMillion, usd } from "./money";

/** Gaps that do not break are spaces here. */
function equal(found: string, expected: string): void {
  assert.equal(found.replaceAll("\u00a0", " "), expected);
}

test("bytes are counted in thousands", () => {
  equal(bytes(12), "12 B");
  equal(bytes(1_234), "1.2 kB");
  equal(bytes(45_600_000), "45.6 MB");
  equal(bytes(7_000_000_000), "7 GB");
});

test("counts have three digits at most and change their unit in time", () => {
  equal(count(0), "0");
  equal(count(999), "999");
  equal(count(1_000), "1 k");
  equal(count(1_234), "1.2 k");
  equal(count(99_949), "99.9 k");
  equal(count(99_960), "100 k");
  equal(count(999_499), "999 k");
  equal(count(999_500), "1 M");
  equal(count(3_400_000), "3.4 M");
  equal(count(7_000_000_000), "7 B");
  equal(count(-1_234), "-1.2 k");
  equal(count(0.256), "0.26");
  equal(exactCount(1_234_567), "1,234,567");
  equal(exactCount(1_234.5678), "1,234.568");
});

test("percent never says 0 or 100 of what is neither", () => {
  equal(percent(0), "0 %");
  equal(percent(1), "100 %");
  equal(percent(0.12345), "12.3 %");
  equal(percent(0.0125), "1.25 %");
  equal(percent(0.00004), "0.004 %");
  equal(percent(0.000000001), "<0.001 %");
  equal(percent(0.9991), "99.9 %");
  equal(exactPercent(0.012345678), "1.2345678 %");
  equal(share(1, 4), "25 %");
  equal(share(0, 0), "–");
});

test("dollars are rounded from the decimal text", () => {
  equal(usd("0"), "$0");
  equal(usd("0.00"), "$0");
  equal(usd("0.0042"), "$0.0042");
  equal(usd("0.5"), "$0.50");
  equal(usd("0.123456"), "$0.123");
  equal(usd("0.9996"), "$1.00");
  equal(usd("0.000000001"), "$0.000000001");
  equal(usd("1234.565"), "$1,234.56");
  equal(usd("1234.5650000001"), "$1,234.57");
  equal(usd("-0.0042"), "-$0.0042");
  equal(usd("99999.994"), "$99,999.99");
  equal(usd("123456.78"), "$123.5 k");
  equal(usd("999999"), "$1 M");
  equal(usd("1234567.89"), "$1.23 M");
  equal(usd("9007199254740993.12"), "$9,007,199.3 B");
  equal(usd("0.00000000000001"), "<$0.000000000001");
});

test("the exact amount has every digit", () => {
  equal(exactUsd("9007199254740993.000000001"), "$9,007,199,254,740,993.000000001");
  equal(exactUsd("1.50"), "$1.50");
  equal(exactUsd("-3"), "-$3.00");
});

test("what a million tokens cost follows from what some did", () => {
  equal(perMillion("0.0025", 1_000) ?? "", "$2.50");
  equal(perMillion("0.000375", 5_000) ?? "", "$0.075");
  assert.equal(perMillion("0.000000008", 3), undefined, "rounded to nano-dollars");
  assert.equal(perMillion("0.00", 3), undefined);
  assert.equal(perMillion("1", 0), undefined);
  assert.equal(perMillion(undefined, 3), undefined);
});

test("durations change their unit where the rounded number would not fit", () => {
  equal(duration(50.495), "50 µs");
  equal(duration(999.6), "1.0 ms");
  equal(duration(9_960), "10 ms");
  equal(duration(850_000), "850 ms");
  equal(duration(999_499), "999 ms");
  equal(duration(999_600), "1.0 s");
  equal(duration(1_240_000), "1.2 s");
  equal(duration(59_940_000), "59.9 s");
  equal(duration(59_960_000), "1 min 0 s");
  equal(duration(125_000_000), "2 min 5 s");
  equal(duration(119_600_000), "2 min 0 s");
  equal(duration(3_599_600_000), "1 h 0 min");
  equal(ago(61_000), "1 min 1 s");
  equal(ago(-5), "0 s");
  equal(ago(3 * 86_400_000 + 3_600_000), "3 d 1 h");
  equal(exactDuration(1_234_567), "1,234.567 ms");
});

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { durationTicks, linePath, ticks, timeMarks } from "./scale";
import { DAY, HOUR, MINUTE } from "../time/zone";

// Days of another year say which: the present one must not be that of the machine.
mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-11-28T00:00:00Z") });

test("marks are round, begin with 0 and reach the top", () => {
  assert.deepEqual(ticks(10, 4), [0, 2.5, 5, 7.5, 10]);
  assert.deepEqual(ticks(0.0037, 4), [0, 0.001, 0.002, 0.003, 0.004]);
  assert.deepEqual(ticks(0, 4), [0]);
  assert.deepEqual(ticks(Number.NaN, 4), [0]);
  for (const most of [1, 7, 13, 99, 12345, 1e-9]) {
    const marks = ticks(most, 4);
    assert.ok(marks.length >= 3 && marks.length <= 7, String(most));
    assert.ok((marks.at(-1) ?? 0) >= most);
  }
});

test("marks of time stand at whole local times and are not too many", () => {
  const from = Date.parse("2026-11-26T03:30:00Z");
  const quarters = Array.from({ length: 96 }, (_, at) => from + at * 15 * MINUTE);
  const marks = timeMarks(quarters, "quarter_hour", "Asia/Kolkata", 8);
  assert.deepEqual(marks.map((mark) => mark.text), ["09:00", "12:00", "15:00", "18:00", "21:00", "27 Nov", "03:00", "06:00"]);
  const hours = Array.from({ length: 168 }, (_, at) => from + 30 * MINUTE + at * HOUR);
  assert.deepEqual(timeMarks(hours, "hour", "UTC", 8).map((mark) => mark.text).slice(0, 2), ["27 Nov", "28 Nov"]);
  const days = Array.from({ length: 365 }, (_, at) => Date.UTC(2026, 0, 1) + at * DAY);
  assert.ok(timeMarks(days, "day", "UTC", 6).length <= 6);
});

test("a line has gaps where nothing is known, and dots between them", () => {
  assert.equal(linePath([0, 1, 2, 3, 4], [1, 2, null, 3, null]), "M0 1L1 2M3 3h0");
  assert.equal(linePath([0], [null]), "");
});

test("durations are marked as clocks count", () => {
  const seconds = (most: number) => durationTicks(most * 1_000_000, 4).map((micros) => micros / 1_000_000);
  assert.deepEqual(seconds(263), [0, 120, 240]);
  assert.deepEqual(seconds(123), [0, 60, 120]);
  assert.deepEqual(seconds(40), [0, 10, 20, 30, 40]);
  assert.deepEqual(seconds(3), [0, 1, 2, 3]);
  assert.deepEqual(durationTicks(900, 4), [0, 250, 500, 750]);
  assert.deepEqual(seconds(10 * 86_400), [0, 3, 6, 9].map((days) => days * 86_400));
  assert.deepEqual(durationTicks(0, 4), [0]);
});

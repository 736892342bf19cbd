import assert from "node:assert/strict";
import { test } from "node:test";
import type { QueryAnswer } from "../../api/query";
import { parseDecimal, toText, trim } from "../../numbers/decimal";
import { DAY } from "../../time/zone";
import { monthForecast, spanOfForecast } from "./month";

const zone = "America/New_York";
// Half of Saturday the 28th is over, two days are ahead; clocks were set on the 1st.
const now = Date.parse("2026-11-28T17:00:00Z");
const plain = (text: string | undefined) => (text === undefined ? undefined : toText(trim(parseDecimal(text))));

function answerOf(cost: (day: number) => string): QueryAnswer {
  const starts = Array.from({ length: 29 }, (_, day) => (day === 0 ? Date.parse("2026-10-31T04:00Z") : day === 1 ? Date.parse("2026-11-01T04:00Z") : Date.parse("2026-11-02T05:00Z") + (day - 2) * DAY));
  return {
    from: "", to: "", zone, complete_to: null, source: "windows", percentile_error: 0.01, dimensions: [], measures: [], left_out: 0, unattributed: 0,
    steps: starts.map((start) => ({ start: new Date(start).toISOString(), end: new Date(start + DAY).toISOString(), start_local: "" })),
    groups: [{ dimensions: {}, totals: {}, series: { cost_usd: starts.map((_, day) => cost(day)), operations: starts.map((_, day) => (Number(cost(day)) > 0 ? 1 : 0)) } }],
  };
}

test("every day the same makes the whole month the same", () => {
  // 27 days at 2, half a day at 1, half a day at 1, two days at 2: a month of 30 days.
  const result = monthForecast(answerOf((day) => (day === 28 ? "1" : "2")), now);
  assert.equal(plain(result?.soFar), "55");
  assert.equal(plain(result?.total), "60");
  assert.equal(result?.days, 28);
});

test("days before the first operation are no days without cost, and its own day is no whole one", () => {
  // So far 0.1, 2 and 1, half a day at 1, two days at 2.
  const result = monthForecast(answerOf((day) => (day < 26 ? "0" : day === 26 ? "0.1" : day === 28 ? "1" : "2")), now);
  assert.equal(result?.days, 1);
  assert.equal(plain(result?.total), "8.1");
});

test("on the day after the first one, today has to do", () => {
  const result = monthForecast(answerOf((day) => (day < 27 ? "0" : day === 27 ? "0.1" : "1")), now);
  assert.equal(result?.days, 0);
  assert.equal(plain(result?.total), "6.1");
});

test("the question reaches four weeks back, or to the beginning of the month", () => {
  assert.equal(new Date(spanOfForecast(now, zone).from).toISOString(), "2026-10-31T04:00:00.000Z");
  assert.equal(new Date(spanOfForecast(Date.parse("2026-12-31T12:00Z"), "UTC").from).toISOString(), "2026-12-01T00:00:00.000Z");
});

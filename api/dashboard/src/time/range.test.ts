import assert from "node:assert/strict";
import { test } from "node:test";
import { BEGINNING, periodOf, RANGES, type RangeName, type Span } from "./range";
import { DAY, MINUTE } from "./zone";

const now = Date.parse("2026-11-27T03:21:40Z");
const shown = (span: Span | undefined) => (span ? [span.from, span.to].map((moment) => new Date(moment).toISOString().slice(0, 16)).join(" ") : "none");
const of = (name: RangeName, zone = "UTC") => periodOf({ name }, now, zone);

test("rolling ranges begin on a whole step and end with the present minute", () => {
  assert.equal(shown(of("15m")), "2026-11-27T03:07 2026-11-27T03:22");
  assert.equal(shown(of("24h")), "2026-11-26T03:30 2026-11-27T03:22");
  assert.equal(shown(of("7d", "Asia/Kolkata")), "2026-11-20T03:30 2026-11-27T03:22");
});

test("the previous period is as long and reaches as far", () => {
  assert.equal(shown(of("24h").previous), "2026-11-25T03:30 2026-11-26T03:22");
  assert.equal(shown(of("today").previous), "2026-11-26T00:00 2026-11-26T03:22");
  assert.equal(shown(of("this_month").previous), "2026-10-01T00:00 2026-10-27T03:15");
  assert.equal(shown(of("last_month").previous), "2026-09-01T00:00 2026-10-01T00:00");
  assert.equal(of("all").previous, undefined);
});

test("a month is not compared with more than the whole one before", () => {
  const march = periodOf({ name: "this_month" }, Date.parse("2026-03-31T12:00:00Z"), "UTC");
  assert.equal(shown(march.previous), "2026-02-01T00:00 2026-03-01T00:00");
});

test("days are those of the zone", () => {
  assert.equal(shown(of("30d", "America/New_York")), "2026-10-28T04:00 2026-11-27T03:22");
  assert.equal(shown(of("yesterday", "Asia/Kolkata")), "2026-11-25T18:30 2026-11-26T18:30");
});

test("every range has whole minutes, some steps and not more than a chart can show", () => {
  const widths = { minute: MINUTE, quarter_hour: 15 * MINUTE, hour: 60 * MINUTE, day: DAY, week: 7 * DAY, month: 30 * DAY };
  for (const name of Object.keys(RANGES) as RangeName[]) {
    for (const zone of ["UTC", "Asia/Kolkata", "America/St_Johns"]) {
      const period = of(name, zone);
      assert.equal(period.from % MINUTE, 0, name);
      assert.equal(period.to % MINUTE, 0, name);
      const steps = (period.to - period.from) / widths[period.resolution];
      assert.ok(steps > 0 && steps < 500, `${name}: ${steps}`);
    }
  }
});

test("where minutes are not kept any more, edges are whole quarter-hours and so are steps", () => {
  const from = Date.parse("2026-11-01T10:07:00Z");
  const old = periodOf({ from, to: from + 5 * MINUTE }, now, "UTC");
  assert.equal(shown(old), "2026-11-01T10:00 2026-11-01T10:15");
  assert.equal(old.resolution, "quarter_hour");
});

test("all time begins with the first operation", () => {
  const first = Date.parse("2026-11-20T10:00:00Z");
  assert.equal(shown(periodOf({ name: "all" }, now, "UTC", first)), "2026-11-20T00:00 2026-11-27T03:22");
  assert.equal(periodOf({ name: "all" }, now, "UTC", first).resolution, "hour");
  assert.equal(of("all").from, BEGINNING);
  assert.equal(of("all").resolution, "month");
});

test("steps can be chosen as far as a chart can show them and windows are kept", () => {
  const steps = (name: RangeName, step?: "minute" | "hour" | "day" | "month") => periodOf({ name }, now, "UTC", BEGINNING, step);
  assert.equal(steps("24h").resolution, "quarter_hour");
  assert.equal(steps("24h", "hour").resolution, "hour");
  assert.deepEqual(steps("24h").choices, ["quarter_hour", "hour"]);
  assert.deepEqual(steps("7d").choices, ["quarter_hour", "hour", "day"]);
  assert.deepEqual(steps("30d").choices, ["hour", "day", "week"]);
  assert.deepEqual(steps("1y").choices, ["day", "week", "month"]);
  // What does not go with the range is as if it were not chosen.
  assert.equal(steps("24h", "month").resolution, "quarter_hour");
  assert.equal(steps("30d", "minute").resolution, "day");
  const old = { from: now - 30 * DAY, to: now - 30 * DAY + 60 * MINUTE };
  assert.ok(!periodOf(old, now, "UTC").choices.includes("minute"), "minutes are not kept so long");
});

import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { freshness } from "./freshness";
import { spanName, stepName } from "./shown";

// Days of another year say which: the present one must not be that of the machine.
mock.timers.enable({ apis: ["Date"], now: Date.parse("2026-11-28T00:00:00Z") });

const now = Date.parse("2026-11-27T03:21:00Z");
const at = (text: string) => Date.parse(text);

test("a second is calm, minutes are not, and not to know is said", () => {
  assert.deepEqual(freshness("2026-11-27T03:20:59Z", true, now, "Asia/Kolkata"), { text: "complete to 08:50:59", mood: "calm" });
  const old = freshness("2026-11-27T03:10:00Z", true, now, "UTC");
  assert.equal(old.mood, "stale");
  assert.match(old.text, /complete only to 27 Nov 2026, 03:10:00, 11.min 0.s ago/);
  assert.equal(freshness(null, false, now, "UTC").mood, "waiting");
  assert.equal(freshness(null, true, now, "UTC").mood, "stale");
});

test("steps and spans are named in the zone", () => {
  const start = at("2026-11-26T18:30:00Z");
  assert.equal(stepName(start, start + 86_400_000, "day", "Asia/Kolkata"), "Fri 27 Nov");
  assert.equal(stepName(at("2026-11-27T03:15Z"), at("2026-11-27T03:30Z"), "quarter_hour", "UTC"), "27 Nov, 03:15–03:30");
  assert.equal(spanName(start, at("2026-11-28T18:30:00Z"), "Asia/Kolkata"), "27 Nov – 28 Nov");
  assert.equal(spanName(at("2026-11-27T03:15Z"), at("2026-11-27T09:30Z"), "UTC"), "27 Nov, 03:15 – 09:30");
});

test("days of another year say which", () => {
  const start = Date.parse("2020-01-01T00:00:00Z");
  assert.equal(stepName(start, start + 86_400_000, "day", "UTC"), "Wed, 1 Jan 2020");
  assert.equal(spanName(start, start + 2 * 86_400_000, "UTC"), "1 Jan 2020 – 2 Jan 2020");
  // There it is still the year before.
  assert.equal(stepName(Date.parse("2026-01-01T00:00:00Z"), Date.parse("2026-01-01T01:00:00Z"), "hour", "America/New_York"), "31 Dec 2025, 19:00–20:00");
});

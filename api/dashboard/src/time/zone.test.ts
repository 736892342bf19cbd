import assert from "node:assert/strict";
import { test } from "node:test";
import { alignDown, fromLocal, HOUR, isZone, localText, offsetText, parseLocal, startOfDay, startOfMonth, startOfWeek, isoLocal, zoneNames } from "./zone";

const at = (text: string) => Date.parse(text);
const iso = (moment: number | undefined) => (moment === undefined ? "none" : new Date(moment).toISOString().slice(0, 16));

test("days begin where the zone's do, also where clocks are set", () => {
  assert.equal(iso(startOfDay(at("2026-11-27T03:00Z"), "Asia/Kolkata")), "2026-11-26T18:30");
  assert.equal(iso(startOfDay(at("2026-11-01T12:00Z"), "America/New_York")), "2026-11-01T04:00");
  assert.equal(iso(startOfDay(at("2026-11-01T12:00Z"), "America/New_York", 1)), "2026-11-02T05:00");
  // In Cairo's spring the day begins at 1:00.
  assert.equal(iso(startOfDay(at("2026-04-24T12:00Z"), "Africa/Cairo")), "2026-04-23T22:00");
});

test("weeks begin on Monday, months on the first, across years", () => {
  assert.equal(iso(startOfWeek(at("2026-11-29T12:00Z"), "UTC")), "2026-11-23T00:00");
  assert.equal(iso(startOfWeek(at("2026-11-23T00:00Z"), "UTC", -1)), "2026-11-16T00:00");
  assert.equal(iso(startOfMonth(at("2026-01-15T12:00Z"), "UTC", -1)), "2025-12-01T00:00");
  assert.equal(iso(startOfMonth(at("2026-12-31T23:30Z"), "Europe/Berlin")), "2026-12-31T23:00");
});

test("a local time that clocks skip is the moment of the change, one they repeat the first", () => {
  assert.equal(iso(fromLocal(at("2026-03-29T02:30Z"), "Europe/Berlin")), "2026-03-29T01:00");
  assert.equal(iso(fromLocal(at("2026-10-25T02:30Z"), "Europe/Berlin")), "2026-10-25T00:30");
  assert.equal(iso(parseLocal("2026-11-27T12:00", "Asia/Kolkata")), "2026-11-27T06:30");
  assert.equal(iso(parseLocal("2026-11-27", "UTC")), "none");
  assert.equal(iso(parseLocal("2026-13-27T00:00", "UTC")), "none");
});

test("hours of half-hour zones begin at half past in UTC", () => {
  assert.equal(iso(alignDown(at("2026-11-27T12:40Z"), HOUR, "Asia/Kolkata")), "2026-11-27T12:30");
  assert.equal(localText(at("2026-11-27T12:40Z"), "Asia/Kolkata"), "2026-11-27T18:10");
});

test("zones that the browser does not have are none", () => {
  assert.equal(isZone("Asia/Kolkata"), true);
  assert.equal(isZone("Mars/Base"), false);
  assert.equal(isZone(""), false);
  assert.equal(offsetText(at("2026-11-27T12:40Z"), "America/St_Johns"), "-03:30");
});

test("a moment is written with the distance from UTC that it has there", () => {
  assert.equal(isoLocal(Date.parse("2026-11-27T17:10:00Z"), "Asia/Kolkata"), "2026-11-27T22:40:00+05:30");
  assert.equal(isoLocal(Date.parse("2026-07-01T00:00:00Z"), "America/New_York"), "2026-06-30T20:00:00-04:00");
  assert.equal(isoLocal(0, "UTC"), "1970-01-01T00:00:00+00:00");
});

test("zones can be chosen by their present names, each once", () => {
  const names = zoneNames();
  assert.equal(names[0], "UTC");
  for (const name of ["Asia/Kolkata", "Europe/Kyiv", "Europe/Berlin"]) assert.ok(names.includes(name), name);
  assert.equal(new Set(names).size, names.length);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { filtersOf, groupsOf, runningOf, spentShare } from "./budget";

const now = Date.parse("2026-11-25T17:47:31Z");
const running = (rule: Parameters<typeof runningOf>[0], at = now) => {
  const { from, to } = runningOf(rule, at);
  return [from, to].map((moment) => new Date(moment).toISOString());
};

test("a period begins and ends in the zone of the rule", () => {
  assert.deepEqual(running({ period: "month", zone: "America/New_York" }), ["2026-11-01T04:00:00.000Z", "2026-12-01T05:00:00.000Z"]);
  assert.deepEqual(running({ period: "week", zone: "UTC" }), ["2026-11-23T00:00:00.000Z", "2026-11-30T00:00:00.000Z"]);
  assert.deepEqual(running({ period: "day", zone: "Asia/Kolkata" }), ["2026-11-24T18:30:00.000Z", "2026-11-25T18:30:00.000Z"]);
  assert.deepEqual(running({ period: "hour", zone: "Asia/Kolkata" }), ["2026-11-25T17:30:00.000Z", "2026-11-25T18:30:00.000Z"]);
  assert.deepEqual(running({ period: "month" }), ["2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z"]);
});

test("an hour in which clocks move by half an hour is as long as it is", () => {
  // Lord Howe goes from +10:30 to +11:00 at 2026-10-03T15:30Z: 02:00 becomes 02:30.
  assert.deepEqual(running({ period: "hour", zone: "Australia/Lord_Howe" }, Date.parse("2026-10-03T15:40:00Z")).at(-1), "2026-10-03T16:00:00.000Z");
});

test("a rolling one begins and ends with quarter-hours", () => {
  assert.deepEqual(running({ rolling: "24h" }), ["2026-11-24T17:45:00.000Z", "2026-11-25T18:00:00.000Z"]);
  assert.deepEqual(running({ rolling: "30d" }), ["2026-10-26T17:45:00.000Z", "2026-11-25T18:00:00.000Z"]);
  assert.equal(runningOf({ rolling: "30d" }, now).isRolling, true);
});

test("what counts are filters", () => {
  assert.deepEqual(filtersOf({ workspace: "acme", filter: { team: "search", project: "" } }), { workspace: ["acme"], team: ["search"], project: [""] });
  assert.deepEqual(filtersOf({}), {});
  assert.deepEqual(groupsOf({ per: ["agent_id", "nonsense"] }), ["agent_id"]);
  assert.deepEqual(groupsOf({}), []);
});

test("the share of what may be spent", () => {
  assert.equal(spentShare("12.5", "50"), 0.25);
  assert.equal(spentShare("12.5", "0"), 0);
});

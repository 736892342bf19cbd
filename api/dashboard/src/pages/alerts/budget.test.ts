import assert from "node:assert/strict";
import { test } from "node:test";
import { filtersOf, groupsOf, runningOf, spentShare } from "./budget";

const now = Date.parse("2026-11-25T17:47:31Z");
const text = (moment: number | undefined) => (moment === undefined ? undefined : new Date(moment).toISOString());
const running = (rule: Parameters<typeof runningOf>[0]) => {
  const { from, to, end } = runningOf(rule, now);
  assert.equal(text(to), "2026-11-25T17:48:00.000Z");
  return [text(from), text(end)];
};

test("a period begins and ends in the zone of the rule", () => {
  assert.deepEqual(running({ period: "month", zone: "America/New_York" }), ["2026-11-01T04:00:00.000Z", "2026-12-01T05:00:00.000Z"]);
  assert.deepEqual(running({ period: "week", zone: "UTC" }), ["2026-11-23T00:00:00.000Z", "2026-11-30T00:00:00.000Z"]);
  assert.deepEqual(running({ period: "day", zone: "Asia/Kolkata" }), ["2026-11-24T18:30:00.000Z", "2026-11-25T18:30:00.000Z"]);
  assert.deepEqual(running({ period: "hour", zone: "Asia/Kolkata" }), ["2026-11-25T17:30:00.000Z", "2026-11-25T18:30:00.000Z"]);
  assert.deepEqual(running({ period: "month" }), ["2026-11-01T00:00:00.000Z", "2026-12-01T00:00:00.000Z"]);
});

test("a rolling one begins with a quarter-hour and never ends", () => {
  assert.deepEqual(running({ rolling: "24h" }), ["2026-11-24T17:45:00.000Z", undefined]);
  assert.deepEqual(running({ rolling: "30d" }), ["2026-10-26T17:45:00.000Z", undefined]);
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

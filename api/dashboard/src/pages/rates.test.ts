import assert from "node:assert/strict";
import { test } from "node:test";
import type { QueryAnswer } from "../api/query";
import { perMinute, perSecond } from "./rates";

const answer: QueryAnswer = {
  from: "2026-11-27T00:00:00Z", to: "2026-11-27T01:15:00Z", zone: "UTC", complete_to: null, source: "windows", percentile_error: 0.01,
  dimensions: [], measures: [], left_out: 0, unattributed: 0,
  steps: [
    { start: "2026-11-27T00:00:00Z", end: "2026-11-27T01:00:00Z", start_local: "" },
    { start: "2026-11-27T01:00:00Z", end: "2026-11-27T02:00:00Z", start_local: "" },
  ],
  groups: [{ dimensions: {}, totals: {}, series: { operations: [120, 60] } }],
};

test("a step that the range cuts is as long as what is left of it", () => {
  assert.deepEqual(perMinute(answer, "operations"), [2, 4]);
  assert.deepEqual(perSecond(answer, "operations"), [120 / 3600, 60 / 900]);
  assert.deepEqual(perMinute(answer, "failures"), [null, null]);
});

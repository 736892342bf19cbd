import assert from "node:assert/strict";
import { test } from "node:test";
import { NEW_PANEL } from "./definition";
import { aboutOf, drawnOf, undrawn } from "./drawn";

const of = (chart: string, measures: string[], by: string[] = []) => ({ ...NEW_PANEL, chart, measures, by });

test("a group has one measure, and the heading names no other", () => {
  const panel = of("lines", ["operations", "cost_usd"], ["model", "team"]);
  assert.deepEqual(drawnOf(panel), { measures: ["operations"], by: ["model"] });
  assert.equal(aboutOf(panel), "Operations, by model");
  assert.match(undrawn(panel) ?? "", /^Not drawn: Cost, by team\. .*one measure/);
  assert.equal(undrawn(of("ranking", ["cost_usd"], ["model"])), undefined);
  assert.match(undrawn(of("ranking", ["cost_usd", "operations"], ["model"])) ?? "", /^Not drawn: Operations\. A ranking/);
});

test("without groups, measures of the unit of the first stand on one axis", () => {
  const panel = of("lines", ["latency_p50_us", "cost_usd", "latency_p95_us"]);
  assert.deepEqual(drawnOf(panel).measures, ["latency_p50_us", "latency_p95_us"]);
  assert.equal(aboutOf(panel), "Latency p50, Latency p95");
  assert.match(undrawn(panel) ?? "", /^Not drawn: Cost\. .*one unit/);
});

test("tables show all, numbers all measures, a distribution one duration", () => {
  const measures = ["operations", "cost_usd", "failures", "total_tokens"];
  assert.deepEqual(drawnOf(of("table", measures, ["model", "team"])), { measures, by: ["model", "team"] });
  assert.equal(aboutOf(of("table", measures, ["team"])), "Operations, Cost, Failures, 1 more, by team");
  assert.match(undrawn(of("number", measures, ["team"])) ?? "", /^Not drawn: by team\./);
  const shape = of("distribution", ["latency", "ttft"], ["model", "team"]);
  assert.equal(aboutOf(shape), "Latency, by model");
  assert.match(undrawn(shape) ?? "", /^Not drawn: Time to first token, by team\./);
});

test("measures that are not known are told", () => {
  assert.match(undrawn(of("table", ["operations", "moons"], ["model"])) ?? "", /^Not drawn: moons\./);
});

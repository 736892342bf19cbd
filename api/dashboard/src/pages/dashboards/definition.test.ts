import assert from "node:assert/strict";
import { test } from "node:test";
import { faultOf, filtersOf, fitting, moved, NEW_PANEL, spanOf } from "./definition";

test("filters of a panel go before those of the page, dimension by dimension and tag by tag", () => {
  const panel = { ...NEW_PANEL, filters: { environment: ["production"], "tag:tier": ["gold", "free"], nonsense: ["x"] } };
  assert.deepEqual(filtersOf(panel, { environment: ["test"], team: ["search"], tag: ["tier:silver", "release:v1"] }), {
    environment: ["production"], team: ["search"], tag: ["tier:gold", "tier:free", "release:v1"],
  });
  assert.deepEqual(filtersOf(NEW_PANEL, { team: [""] }), { team: [""] });
});

test("another chart takes what it has room for", () => {
  const panel = { ...NEW_PANEL, measures: ["cost_usd", "operations"], by: ["provider", "model"], chart: "table" };
  assert.deepEqual([fitting(panel, "bars").measures, fitting(panel, "bars").by], [["cost_usd"], ["provider"]]);
  assert.deepEqual([fitting(panel, "distribution").measures, fitting(panel, "number").by], [["latency"], []]);
  assert.deepEqual(fitting(fitting(panel, "distribution"), "lines").measures, ["operations"]);
  assert.deepEqual(fitting(NEW_PANEL, "ranking").by, ["model"]);
});

test("what cannot be drawn is told", () => {
  assert.equal(faultOf(NEW_PANEL), undefined);
  assert.match(faultOf({ ...NEW_PANEL, title: " " }) ?? "", /title/);
  assert.match(faultOf({ ...NEW_PANEL, measures: [] }) ?? "", /measures/);
  assert.match(faultOf({ ...NEW_PANEL, chart: "table", by: [] }) ?? "", /by something/);
});

test("panels change places, but not beyond the ends", () => {
  assert.deepEqual(moved(["a", "b", "c"], 0, 1), ["b", "a", "c"]);
  assert.deepEqual(moved(["a", "b", "c"], 2, 0), ["c", "a", "b"]);
  assert.deepEqual(moved(["a", "b", "c"], 0, -1), ["a", "b", "c"]);
  assert.deepEqual(moved(["a", "b", "c"], 2, 3), ["a", "b", "c"]);
});

test("a third is four columns", () => {
  assert.deepEqual([1, 2, 3].map((width) => spanOf({ ...NEW_PANEL, width })), [4, 8, 12]);
  assert.equal(spanOf({ title: "a", chart: "lines", measures: [] }), 4);
});

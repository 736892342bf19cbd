import assert from "node:assert/strict";
import { test } from "node:test";
import { forecast } from "./forecast";
import { parseDecimal, toText, trim } from "./decimal";

const plain = (text: string) => toText(trim(parseDecimal(text)));

test("each day ahead costs what its weekday did", () => {
  // Two weeks in which Sundays cost 1 and 3, all others 10.
  const past = Array.from({ length: 14 }, (_, day) => ({ weekday: day % 7, cost: day === 0 ? "1" : day === 7 ? "3" : "10" }));
  const { total, days } = forecast({ past, soFar: "100", today: { weekday: 5, cost: "4" }, elapsed: 0.5, ahead: [6, 0] });
  // So far, half a Friday, a Saturday, a Sunday.
  assert.equal(plain(total), "117");
  assert.equal(days, 14);
});

test("a weekday that is not known yet costs the mean of all days", () => {
  const past = [{ weekday: 1, cost: "2" }, { weekday: 2, cost: "4" }];
  assert.equal(plain(forecast({ past, soFar: "6", today: { weekday: 3, cost: "0" }, elapsed: 1, ahead: [4, 4] }).total), "12");
});

test("on the first day the rest of the month is like today", () => {
  const { total, days } = forecast({ past: [], soFar: "3", today: { weekday: 3, cost: "3" }, elapsed: 0.25, ahead: [4] });
  assert.equal(plain(total), "24");
  assert.equal(days, 0);
});

test("digits that a float would lose are kept", () => {
  const { total } = forecast({ past: [], soFar: "9007199254740993.000000001", today: { weekday: 1, cost: "0" }, elapsed: 1, ahead: [] });
  assert.equal(plain(total), "9007199254740993.000000001");
});

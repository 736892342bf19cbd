import assert from "node:assert/strict";
import { test } from "node:test";
import { COLUMNS, type Column } from "./columns";
import { firstOf, ordered, orderOf, parametersOf } from "./order";

const column = (name: string) => COLUMNS.find((column) => column.name === name) as Column;

test("a column that is chosen again turns the order round, another one begins with the largest", () => {
  const byCost = ordered({ columns: "time,cost_usd" }, column("cost_usd"));
  assert.deepEqual(byCost, { columns: "time,cost_usd", order: "cost_usd" });
  const cheapest = ordered(byCost, column("cost_usd"));
  assert.deepEqual(cheapest, { ...byCost, direction: "ascending" });
  assert.deepEqual(ordered(cheapest, column("cost_usd")), byCost);
  assert.deepEqual(ordered(cheapest, column("latency_us")), { columns: "time,cost_usd", order: "latency_us" });
  assert.deepEqual(ordered(cheapest, column("time")), { columns: "time,cost_usd" });
  assert.deepEqual(ordered({}, column("time")), { direction: "ascending" });
});

test("the server is asked for the order that the page shows", () => {
  assert.deepEqual(parametersOf(orderOf({})), []);
  assert.deepEqual(parametersOf(orderOf({ order: "cost_usd", direction: "ascending" })), [["order", "cost_usd"], ["direction", "ascending"]]);
  // What cannot be an order is that of time.
  assert.deepEqual(parametersOf(orderOf({ order: "model", direction: "up" })), []);
  assert.deepEqual(["", "ascending"].map((direction) => firstOf(orderOf({ direction }))), ["newest", "oldest"]);
  assert.deepEqual(["", "ascending"].map((direction) => firstOf(orderOf({ order: "attempt", direction }))), ["largest", "smallest"]);
});

// What lists of sessions and traces can be ordered by; the choice stands in the address.
import { place } from "../state/place.svelte";

export const ORDERS = ["last", "first", "duration", "operations", "failures", "cost_usd"] as const;
export type Order = (typeof ORDERS)[number];

export function chosenOrder(): Order {
  const chosen = place.option("order");
  return ORDERS.find((order) => order === chosen) ?? "last";
}

export function order(by: Order): void {
  place.choose("order", by === "last" ? "" : by);
}

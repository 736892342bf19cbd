// The order of a list of operations: by a column and in a direction, as options of the address. Pure.
import { COLUMNS, type Column } from "./columns";

/** In what order a list is. */
export interface Order {
  column: Column;
  /** From the oldest or smallest on. */
  isAscending: boolean;
}

const TIME = "time";
const ASCENDING = "ascending";

/** The order that options of the address ask for: by a column that can be, else by time. */
export function orderOf(options: Record<string, string>): Order {
  const [time] = COLUMNS;
  const chosen = COLUMNS.find((column) => column.isOrder && column.name === options["order"]);
  return { column: chosen ?? (time as Column), isAscending: options["direction"] === ASCENDING };
}

/** The options of an address in which `column` is chosen: what is in its order already is turned round. */
export function ordered(options: Record<string, string>, column: Column): Record<string, string> {
  const { order: _, direction: __, ...others } = options;
  const before = orderOf(options);
  return { ...others, ...optionsOf({ column, isAscending: before.column === column && !before.isAscending }) };
}

export const isByTime = ({ column }: Order) => column.name === TIME;

/** The order as the parameters of a question say it. */
export function parametersOf(order: Order): [string, string][] {
  return Object.entries(optionsOf(order));
}

function optionsOf(order: Order): Record<string, string> {
  return { ...(isByTime(order) ? {} : { order: order.column.name }), ...(order.isAscending ? { direction: ASCENDING } : {}) };
}

/** What comes first in an order. */
export function firstOf(order: Order): string {
  return isByTime(order) ? (order.isAscending ? "oldest" : "newest") : order.isAscending ? "smallest" : "largest";
}

// A table as CSV (RFC 4180), for spreadsheets too. Pure.

export interface Table {
  columns: string[];
  /** Numbers as they are, with every digit; null is an empty cell. */
  rows: (string | number | null)[][];
}

/** With these a spreadsheet takes a cell for a formula; some take the full-width signs for the others. */
const FORMULA = /^[=+\-@\t\r\n＝＋－＠]/;
const NUMBER = /^-?\d+(\.\d+)?$/;

export function csv({ columns, rows }: Table): string {
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

function cell(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  // Names are what users say; an apostrophe in front keeps them text. A negative amount is no formula.
  const text = FORMULA.test(value) && !NUMBER.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

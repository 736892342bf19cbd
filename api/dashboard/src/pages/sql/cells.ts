// Values of a result as text. Pure.

/** As it is shown and copied: objects as JSON, nothing as nothing. */
export function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Whether a column stands at the right: all values that it has are numbers. */
export function isNumeric(rows: readonly (readonly unknown[])[], column: number): boolean {
  let has = false;
  for (const row of rows) {
    const value = row[column];
    if (value === null || value === undefined) continue;
    if (typeof value !== "number") return false;
    has = true;
  }
  return has;
}

/** Tabs between columns, for spreadsheets: what would break a cell becomes a space. */
export function tabbed(columns: readonly string[], rows: readonly (readonly unknown[])[]): string {
  const cell = (value: unknown) => {
    const text = textOf(value).replaceAll(/[\t\r\n]+/g, " ");
    // A spreadsheet takes these for formulas; numbers are none.
    return typeof value === "string" && /^[=+\-@]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text;
  };
  return [columns, ...rows].map((row) => row.map(cell).join("\t")).join("\n");
}

/** Puts text into a statement where the cursor is, with a space where it would touch a word. */
export function inserted(statement: string, from: number, to: number, text: string): { statement: string; cursor: number } {
  const before = statement.slice(0, from);
  const gap = /[\w"]$/.test(before) ? " " : "";
  const cursor = before.length + gap.length + text.length;
  return { statement: `${before}${gap}${text}${statement.slice(to)}`, cursor };
}

// Keys of tags among some operations. Pure.

/** Those that most of them have, first. */
export function keysOf(operations: readonly { tags?: unknown }[]): string[] {
  const counts = new Map<string, number>();
  for (const { tags } of operations) {
    if (typeof tags !== "object" || tags === null || Array.isArray(tags)) continue;
    for (const key of Object.keys(tags)) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([key]) => key);
}

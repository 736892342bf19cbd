// Agents with their actions, from the combinations of both. Pure.
import type { QueryGroup } from "../../api/query";

export interface Branch {
  agent: string | null;
  operations: number;
  actions: { action: string | null; operations: number; group: QueryGroup }[];
}

/** Both by operations, the most first. */
export function branches(groups: readonly QueryGroup[]): Branch[] {
  const found = new Map<string | null, Branch>();
  for (const group of groups) {
    const agent = group.dimensions.agent_id ?? null;
    const operations = Number(group.totals.operations ?? 0);
    let branch = found.get(agent);
    if (!branch) found.set(agent, (branch = { agent, operations: 0, actions: [] }));
    branch.operations += operations;
    branch.actions.push({ action: group.dimensions.action_id ?? null, operations, group });
  }
  const all = [...found.values()].sort((a, b) => b.operations - a.operations);
  for (const branch of all) branch.actions.sort((a, b) => b.operations - a.operations);
  return all;
}

// The pages, in the order of the navigation. Another one is a component in pages/ and a line here; it is loaded when it is looked at.
import type { Component } from "svelte";

export const GROUPS = ["Numbers", "One by one", "Around them"] as const;

export interface Page {
  /** Its name in the address. */
  name: string;
  label: string;
  group: (typeof GROUPS)[number];
  /** Whether it is reached from another page only: the name of that one. */
  within?: string;
  /** Whether it shows the same whatever is filtered by. */
  isUnfiltered?: boolean;
  /** The option that names one of its lines; that one is shown whole, whatever the time and the filters. */
  one?: "session" | "trace";
  /** What of the chosen time it shows: the range, the period before too, or neither. */
  time: "range" | "compared" | "none";
  load: () => Promise<{ default: Component }>;
}

export const PAGES: readonly Page[] = [
  { name: "overview", label: "Overview", group: "Numbers", time: "compared", load: () => import("./pages/Overview.svelte") },
  { name: "performance", label: "Performance", group: "Numbers", time: "compared", load: () => import("./pages/Performance.svelte") },
  { name: "cost", label: "Cost", group: "Numbers", time: "compared", load: () => import("./pages/Cost.svelte") },
  { name: "tokens", label: "Tokens", group: "Numbers", time: "compared", load: () => import("./pages/Tokens.svelte") },
  { name: "agents", label: "Agents", group: "Numbers", time: "compared", load: () => import("./pages/Agents.svelte") },
  { name: "operations", label: "Operations", group: "One by one", time: "compared", load: () => import("./pages/Operations.svelte") },
  { name: "sessions", label: "Sessions", group: "One by one", time: "range", one: "session", load: () => import("./pages/Sessions.svelte") },
  { name: "traces", label: "Traces", group: "One by one", time: "range", one: "trace", load: () => import("./pages/Traces.svelte") },
  { name: "live", label: "Live", group: "One by one", time: "none", load: () => import("./pages/Live.svelte") },
  { name: "dashboards", label: "Dashboards", group: "Around them", isUnfiltered: true, time: "none", load: () => import("./pages/Dashboards.svelte") },
  { name: "dashboard", label: "Dashboard", group: "Around them", within: "dashboards", time: "compared", load: () => import("./pages/Dashboard.svelte") },
  { name: "sql", label: "SQL", group: "Around them", isUnfiltered: true, time: "range", load: () => import("./pages/Sql.svelte") },
  { name: "pipeline", label: "Pipeline", group: "Around them", isUnfiltered: true, time: "none", load: () => import("./pages/Pipeline.svelte") },
  { name: "alerts", label: "Alerts", group: "Around them", isUnfiltered: true, time: "none", load: () => import("./pages/Alerts.svelte") },
];

/** What of the chosen time and filters a page shows with its own options. */
export function scopeOf(page: Page | undefined, options: Readonly<Record<string, string>>): Pick<Page, "time"> & { isFiltered: boolean } {
  if (!page || (page.one && options[page.one] !== undefined)) return { time: "none", isFiltered: false };
  return { time: page.time, isFiltered: !page.isUnfiltered };
}

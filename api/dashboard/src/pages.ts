// The pages, in the order of the navigation. Another one is a component in pages/ and a line here; it is loaded when it is looked at.
import type { Component } from "svelte";

export interface Page {
  /** Its name in the address. */
  name: string;
  label: string;
  /** Whether it shows the same whatever is filtered by. */
  isUnfiltered?: boolean;
  load: () => Promise<{ default: Component }>;
}

export const PAGES: readonly Page[] = [
  { name: "overview", label: "Overview", load: () => import("./pages/Overview.svelte") },
  { name: "performance", label: "Performance", load: () => import("./pages/Performance.svelte") },
  { name: "cost", label: "Cost", load: () => import("./pages/Cost.svelte") },
  { name: "tokens", label: "Tokens", load: () => import("./pages/Tokens.svelte") },
  { name: "agents", label: "Agents", load: () => import("./pages/Agents.svelte") },
  { name: "operations", label: "Operations", load: () => import("./pages/Operations.svelte") },
  { name: "alerts", label: "Alerts", isUnfiltered: true, load: () => import("./pages/Alerts.svelte") },
];

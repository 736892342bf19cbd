// What a page has that keeps people out.
import axe from "axe-core";
import type { Page } from "playwright-core";

/** By axe: serious and critical findings, each with the first place. */
export async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe: checker } = window as unknown as { axe: typeof import("axe-core") };
    const { violations, passes } = await checker.run(document, { resultTypes: ["violations", "passes"] });
    if (passes.length < 10) return [`axe looked at nothing: ${passes.length} rules apply`];
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    return serious.map(({ id, nodes }) => `${id}: ${nodes.length} × ${nodes[0]?.html.slice(0, 160)} ${nodes[0]?.failureSummary?.slice(0, 200)}`);
  });
}

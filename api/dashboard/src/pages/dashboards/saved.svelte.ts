// The list of what is kept under a name.
import { reasonOf, TokenNeeded } from "../../api/client";
import { readSaved, type ViewHead, type ViewKind } from "../../api/views";
import type { Asked } from "../../state/asked.svelte";
import { fetched } from "../../state/fetched.svelte";
import { place } from "../../state/place.svelte";
import { session } from "../../state/session.svelte";

export function savedViews(kind: ViewKind): Asked<{ views: ViewHead[] }> {
  return fetched(() => ({ path: "v1/views", parameters: [["kind", kind]] }));
}

/** Where a dashboard is: with the range and the filters of the page, which its own replace when it is opened from the list. */
export function dashboardAddress(id: string, address: string | null | undefined): string {
  return address ? `#/dashboard/${id}?${address}` : place.addressOf({ page: "dashboard", item: id, options: {} });
}

/** Goes where it leads; says why that cannot be. */
export async function openSaved(one: ViewHead): Promise<string> {
  return tried(async () => {
    const { definition } = await readSaved(one.view_id);
    place.goTo(one.kind === "dashboard" ? dashboardAddress(one.view_id, definition.address) : (definition.address ?? ""));
  });
}

/** "" when it went well. */
export async function tried(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
    return "";
  } catch (error) {
    if (error instanceof TokenNeeded) session.needsToken = true;
    return reasonOf(error);
  }
}

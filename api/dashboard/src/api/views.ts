// Views and dashboards that are kept under a name.
import { ask, send, type Schemas } from "./client";

export type ViewKind = Schemas["Kind"];
/** Without what it shows. */
export type ViewHead = Schemas["ViewHead"];
export type SavedView = Schemas["ViewAnswer"];
export type ViewDefinition = Schemas["Definition"];
export type PanelDefinition = Schemas["Panel"];

const pathOf = (id: string) => `v1/views/${encodeURIComponent(id)}`;

export function readSaved(id: string, signal?: AbortSignal): Promise<SavedView> {
  return ask<SavedView>(pathOf(id), [], signal);
}

export function saveNew(kind: ViewKind, name: string, definition: ViewDefinition, description = ""): Promise<SavedView> {
  return send<SavedView>("POST", "v1/views", { kind, name, description, definition });
}

/** Refused with `changed_meanwhile` where somebody else has changed it since this version. */
export function saveChanged({ view_id: id, version, name, description, definition }: SavedView): Promise<SavedView> {
  return send<SavedView>("PUT", pathOf(id), { version, name, description, definition });
}

/** The one of a kind that has a name, as the list is now. */
export async function namedSo(kind: ViewKind, name: string): Promise<ViewHead | undefined> {
  const { views } = await ask<{ views: ViewHead[] }>("v1/views", [["kind", kind]]);
  return views.find((view) => view.name === name);
}

/** The name alone, whatever else has changed meanwhile. */
export async function rename(id: string, name: string): Promise<void> {
  await saveChanged({ ...(await readSaved(id)), name });
}

export function remove(id: string): Promise<void> {
  return send("DELETE", pathOf(id));
}

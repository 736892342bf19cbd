// Where the reader is: the view that stands in the address, the time it is, and the period the two mean.
import { untrack } from "svelte";
import { serverNow } from "../api/client";
import { filterOf, type Dimension } from "../api/dimensions";
import { periodOf, refreshSeconds, type Period } from "../time/range";
import { ownZone } from "../time/zone";
import { readView, toggled, writeView, type View } from "./view";

/** How often questions that read files are asked again: they cost the server more than those to windows. */
const SLOW_MS = 60_000;

class Place {
  view: View = $state.raw(readView(location.hash, ownZone()));
  /** Moves on with every refresh, not with every second. */
  now: number = $state(serverNow());
  /** The same for what is read from files, which follows more slowly. */
  slow: number = $state(serverNow());
  /** Whether the numbers follow the time. */
  isLive: boolean = $state(true);
  /** The first moment of which there is anything, once it is known; only all time needs it. */
  first: number | undefined = $state();
  /** What numbers depend on: it stays the same from page to page and when a page remembers something. */
  readonly scope: string = $derived(writeView({ ...this.view, page: "", item: "", compare: false, options: {} }));
  readonly filters: View["filters"] = $derived(this.inScope((view) => view.filters));
  readonly zone: string = $derived(this.view.zone);
  readonly compares: boolean = $derived(this.view.compare);
  /** What the range means now; none while all time waits for its beginning. */
  readonly period: Period | undefined = $derived(this.periodAt(this.now));
  readonly slowPeriod: Period | undefined = $derived(this.periodAt(this.slow));
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** Begins to follow the address and the time. */
  follow(): void {
    const read = () => this.take(readView(location.hash, ownZone()));
    addEventListener("hashchange", read);
    addEventListener("popstate", read);
    document.addEventListener("visibilitychange", () => this.refresh());
    // What the page chose by itself belongs into the address too: a copied one must say the same elsewhere.
    history.replaceState(null, "", writeView(this.view));
    this.refresh();
  }

  /** Goes on to a changed view; the browser's way back leads to the present one. */
  go(change: Partial<View>): void {
    const next = changed(this.view, change);
    const address = writeView(next);
    if (address === writeView(this.view)) return;
    history.pushState(null, "", address);
    this.take(next);
  }

  /** Goes to an address as it was kept. */
  goTo(address: string): void {
    const next = readView(address, this.view.zone);
    history.pushState(null, "", writeView(next));
    this.take(next);
  }

  /** The address of a changed view, for links. */
  addressOf(change: Partial<View>): string {
    return writeView(changed(this.view, change));
  }

  /** Changes one of the page's own options; "" takes it away. */
  choose(name: string, value: string): void {
    const { [name]: _, ...others } = this.view.options;
    this.go({ options: value === "" ? others : { ...others, [name]: value } });
  }

  option(name: string): string | undefined {
    return this.view.options[name];
  }

  toggle(dimension: Dimension, value: string | null): void {
    const filter = filterOf(dimension, value);
    this.go({ filters: toggled(this.view.filters, filter.name, filter.value) });
  }

  isChosen(dimension: Dimension, value: string | null): boolean {
    const filter = filterOf(dimension, value);
    return this.view.filters[filter.name]?.includes(filter.value) ?? false;
  }

  /** Asks for everything again, now; what is read from files only when it is time, or `all` says so. */
  refresh(all = false): void {
    clearTimeout(this.timer);
    if (document.hidden || !this.isLive) return;
    this.now = serverNow();
    if (all || this.now - this.slow >= SLOW_MS) this.slow = this.now;
    this.timer = setTimeout(() => this.refresh(), refreshSeconds(this.view.range) * 1000);
  }

  pause(isPaused: boolean): void {
    this.isLive = !isPaused;
    this.refresh();
  }

  private take(view: View): void {
    const isSameTime = rangeText(view) === rangeText(this.view);
    this.view = view;
    // A page that is turned to, or one that remembers something, has no other time than before.
    if (!isSameTime) this.refresh(true);
  }

  private periodAt(now: number): Period | undefined {
    const { range, zone, step } = this.inScope((view) => view);
    if ("name" in range && range.name === "all" && this.first === undefined) return undefined;
    return periodOf(range, now, zone, this.first, step);
  }

  /** Reads the view, but for what is no part of the scope. */
  private inScope<T>(read: (view: View) => T): T {
    void this.scope;
    return untrack(() => read(this.view));
  }
}

/** Another page has nothing behind it but what is said, and another time is one that can be shown. */
function changed(view: View, change: Partial<View>): View {
  return { ...view, ...(change.page === undefined ? {} : { item: "" }), ...(change.range || change.zone ? { unread: [] } : {}), ...change };
}

function rangeText({ range, zone }: View): string {
  return JSON.stringify([range, zone]);
}

export const place = new Place();

// The spans of a trace as a tree in the order in which they are read, and where each lies in time. Pure.

export interface SpanOf {
  operation_id?: string;
  span_id?: string;
  parent_span_id?: string;
  started_at?: string;
  time?: string;
  latency_us?: number;
  queue_us?: number;
  ttft_us?: number;
  success?: boolean;
}

export interface Node<T extends SpanOf> {
  span: T;
  /** 0 for those without a parent. */
  depth: number;
  /** All that are below it. */
  below: number;
  /** Whether something below it failed. */
  failsBelow: boolean;
  /** It names a parent that is not in the trace. */
  isOrphan: boolean;
  /** Microseconds since the first start. */
  from: number;
  to: number;
}

/** Parents before their children, children by their start. What is its own ancestor begins a tree of its own. */
export function treeOf<T extends SpanOf>(spans: readonly T[]): Node<T>[] {
  const start = Math.min(...spans.map(startOf));
  const byId = new Map<string, T>();
  for (const span of spans) if (span.span_id !== undefined && !byId.has(span.span_id)) byId.set(span.span_id, span);
  const parents = new Map<T, T>();
  for (const span of spans) {
    const parent = span.parent_span_id === undefined ? undefined : byId.get(span.parent_span_id);
    if (parent && !isAbove(span, parent, parents)) parents.set(span, parent);
  }
  const children = new Map<T | undefined, T[]>();
  for (const span of [...spans].sort((a, b) => startOf(a) - startOf(b))) {
    const parent = parents.get(span);
    children.set(parent, [...(children.get(parent) ?? []), span]);
  }
  const nodes: Node<T>[] = [];
  // Not recursive: a trace may be as deep as it is long.
  const open: { span: T; depth: number; at?: number }[] = [...(children.get(undefined) ?? [])].reverse().map((span) => ({ span, depth: 0 }));
  for (let next = open.pop(); next; next = open.pop()) {
    const { span, depth, at } = next;
    if (at !== undefined) {
      const node = nodes[at];
      if (!node) continue;
      const inside = nodes.slice(at + 1);
      node.below = inside.length;
      node.failsBelow = inside.some((one) => one.span.success === false);
      continue;
    }
    const from = startOf(span) - start;
    const below = children.get(span) ?? [];
    nodes.push({ span, depth, below: 0, failsBelow: false, isOrphan: span.parent_span_id !== undefined && !byId.has(span.parent_span_id), from, to: from + (span.latency_us ?? 0) });
    if (below.length > 0) open.push({ span, depth, at: nodes.length - 1 });
    for (const child of [...below].reverse()) open.push({ span: child, depth: depth + 1 });
  }
  return nodes;
}

/** Whether `span` is `other`, or above it. */
function isAbove<T extends SpanOf>(span: T, other: T, parents: ReadonlyMap<T, T>): boolean {
  for (let at: T | undefined = other; at; at = parents.get(at)) if (at === span) return true;
  return false;
}

/** Microseconds since 1970: text has six digits of a second, of which `Date` keeps three. */
export function startOf({ started_at, time }: SpanOf): number {
  const text = started_at ?? time ?? "";
  const digits = /\.(\d+)/.exec(text)?.[1] ?? "";
  return Math.floor(Date.parse(text) / 1000) * 1_000_000 + Number(digits.slice(0, 6).padEnd(6, "0"));
}

/** Without what lies below a closed one. */
export function visible<T extends SpanOf>(nodes: readonly Node<T>[], closed: ReadonlySet<string>): Node<T>[] {
  const shown: Node<T>[] = [];
  for (let at = 0; at < nodes.length; at += 1) {
    const node = nodes[at];
    if (!node) break;
    shown.push(node);
    if (closed.has(node.span.operation_id ?? "")) at += node.below;
  }
  return shown;
}

export interface Part {
  kind: "queue" | "waiting" | "generation" | "whole";
  /** Microseconds since the start of the span. */
  from: number;
  to: number;
}

/** What a latency is made of: a queue, until the first token, and from it to the end; or the whole where that is not known. */
export function partsOf({ latency_us: latency, queue_us: queue, ttft_us: ttft }: SpanOf): Part[] {
  if (latency === undefined) return [];
  const waited = Math.min(queue ?? 0, latency);
  const first = ttft === undefined ? undefined : Math.min(Math.max(ttft, waited), latency);
  const parts: Part[] = [];
  if (waited > 0) parts.push({ kind: "queue", from: 0, to: waited });
  if (first === undefined) parts.push({ kind: "whole", from: waited, to: latency });
  else parts.push({ kind: "waiting", from: waited, to: first }, { kind: "generation", from: first, to: latency });
  return parts.filter((part) => part.to > part.from);
}

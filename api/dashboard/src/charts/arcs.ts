// The pieces of a ring. Pure.
import { round } from "./scale";

export interface Arc {
  key: string;
  path: string;
}

/** Clockwise from the top; each piece is as long as its share of all. Between two pieces is a small gap. */
export function arcs(parts: readonly { key: string; value: number }[], radius: number, thickness: number): Arc[] {
  const all = parts.reduce((sum, part) => sum + Math.max(part.value, 0), 0);
  if (all <= 0) return [];
  const known = parts.filter((part) => part.value > 0);
  const gap = known.length > 1 ? 1.5 / radius : 0;
  let reached = 0;
  return known.map(({ key, value }) => {
    const from = (reached / all) * 2 * Math.PI;
    reached += value;
    const to = Math.max((reached / all) * 2 * Math.PI - gap, from + 0.001);
    return { key, path: ring(from, Math.min(to, from + 2 * Math.PI - 0.0001), radius, radius - thickness) };
  });
}

function ring(from: number, to: number, outer: number, inner: number): string {
  const at = (angle: number, radius: number) => `${round(radius * Math.sin(angle))} ${round(-radius * Math.cos(angle))}`;
  const isLarge = to - from > Math.PI ? 1 : 0;
  return (
    `M${at(from, outer)}A${outer} ${outer} 0 ${isLarge} 1 ${at(to, outer)}` +
    `L${at(to, inner)}A${inner} ${inner} 0 ${isLarge} 0 ${at(from, inner)}z`
  );
}

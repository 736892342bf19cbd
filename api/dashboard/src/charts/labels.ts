// Which names fit beside the points of a chart. Pure.

export interface Wanted {
  key: string;
  text: string;
  /** Middle of the point, and how far the name keeps from it. */
  x: number;
  y: number;
  gap: number;
}

export interface Placed {
  key: string;
  text: string;
  x: number;
  y: number;
  /** Whether it ends at `x` instead of beginning there. */
  isEnd: boolean;
}

const HEIGHT = 14;
/** Of a letter, at the size that names have. */
const WIDTH = 6.6;

/** Names in the order of their importance: one that would lie on another tries the other side, then is left out. */
export function placed(wanted: readonly Wanted[], width: number): Placed[] {
  const taken: { left: number; right: number; y: number }[] = [];
  const found: Placed[] = [];
  for (const { key, text, x, y, gap } of wanted) {
    const length = text.length * WIDTH;
    for (const isEnd of [false, true]) {
      const at = isEnd ? x - gap : x + gap;
      const [left, right] = isEnd ? [at - length, at] : [at, at + length];
      const isFree = taken.every((box) => right < box.left || left > box.right || Math.abs(y - box.y) >= HEIGHT);
      if (left < 0 || right > width || !isFree) continue;
      taken.push({ left, right, y });
      found.push({ key, text, x: at, y, isEnd });
      break;
    }
  }
  return found;
}

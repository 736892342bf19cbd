// Run by `npm test`: numbers at the edges of their units.
import { ago, duration } from "./format";

const cases: [string, string][] = [
  [duration(null), "–"],
  [duration(50.495), "50 µs"],
  [duration(999.4), "999 µs"],
  [duration(999.6), "1 ms"],
  [duration(999_499), "999 ms"],
  [duration(999_600), "1.00 s"],
  [duration(9_994_000), "9.99 s"],
  [duration(9_996_000), "10.0 s"],
  [duration(59_940_000), "59.9 s"],
  [duration(59_960_000), "1 min 0 s"],
  [duration(119_600_000), "2 min 0 s"],
  [duration(3_599_600_000), "1 h 0 min"],
  [ago(61_000), "1 min 1 s"],
  [ago(3 * 86_400_000 + 3_600_000), "3 d 1 h"],
];
const wrong = cases.filter(([found, expected]) => found !== expected);
if (wrong.length > 0) throw new Error(wrong.map(([found, expected]) => `${found} instead of ${expected}`).join("; "));

// Run by `npm test`: where ranges and their steps begin.
import { ALL_TIME, RANGES, startOf, stepsOf } from "./range";

const DAY = 86_400;
const now = Date.parse("2026-11-27T03:21:00Z");
const year = RANGES.find((range) => range.label === "1 y") ?? ALL_TIME;
const imported = Date.parse("2023-02-01T00:00:00Z") / 1000;
const start = startOf(ALL_TIME, now);
const yearSteps = stepsOf(year, startOf(year, now), now, undefined);
const allSteps = stepsOf(ALL_TIME, start, now, imported);

const cases: [string, boolean][] = [
  ["all time has no more steps than the server answers", now / 1000 - start < 10_080 * DAY],
  ["all time begins on a whole day", start % DAY === 0],
  ["a year has 365 days, today among them", yearSteps.length === 365 && yearSteps.at(-1) === Date.parse("2026-11-27T00:00:00Z") / 1000],
  ["the chart of all time begins with the first operation", allSteps[0] === imported],
];
const broken = cases.filter(([, holds]) => !holds).map(([promise]) => promise);
if (broken.length > 0) throw new Error(`not so: ${broken.join("; ")}`);

// The days of a month, and what they cost, as the forecast wants them. Pure.
import type { QueryAnswer } from "../../api/query";
import { forecast, type Forecast } from "../../numbers/forecast";
import { sum, toText } from "../../numbers/decimal";
import type { Span } from "../../time/range";
import { DAY, MINUTE, startOfDay, startOfMonth, toLocal } from "../../time/zone";

const PAST_DAYS = 28;

/** What has to be asked for by days: the four weeks before today and the whole month, to now. */
export function spanOfForecast(now: number, zone: string): Span {
  const from = Math.min(startOfDay(now, zone, -PAST_DAYS), startOfMonth(now, zone));
  return { from, to: (Math.floor(now / MINUTE) + 1) * MINUTE };
}

export interface MonthForecast extends Forecast {
  soFar: string;
}

/** None while the answer has no steps of days. */
export function monthForecast(answer: QueryAnswer, now: number): MonthForecast | undefined {
  const { zone } = answer;
  const costs = answer.groups[0]?.series?.cost_usd;
  if (!answer.steps || !costs) return undefined;
  const [today, tomorrow, month, next] = [startOfDay(now, zone), startOfDay(now, zone, 1), startOfMonth(now, zone), startOfMonth(now, zone, 1)];
  const operations = answer.groups[0]?.series?.operations ?? [];
  const days = answer.steps.map((step, at) => ({ start: Date.parse(step.start), cost: String(costs[at] ?? "0"), count: Number(operations[at] ?? 0) }));
  const begun = days.findIndex((day) => day.count > 0);
  // Where nothing was before it, the day of the first operation began with that operation: it is no whole one.
  const known = days.slice(begun < 0 ? days.length : begun === 0 ? 0 : begun + 1);
  const earliest = startOfDay(now, zone, -PAST_DAYS);
  const past = known.filter((day) => day.start < today && day.start >= earliest);
  const soFar = toText(sum(days.filter((day) => day.start >= month).map((day) => day.cost)));
  const ahead = [];
  for (let day = tomorrow; day < next; day = startOfDay(day, zone, 1)) ahead.push(weekdayOf(day, zone));
  const result = forecast({
    past: past.map((day) => ({ weekday: weekdayOf(day.start, zone), cost: day.cost })),
    soFar,
    today: { weekday: weekdayOf(today, zone), cost: days.find((day) => day.start === today)?.cost ?? "0" },
    elapsed: (now - today) / (tomorrow - today),
    ahead,
  });
  return { ...result, soFar };
}

function weekdayOf(moment: number, zone: string): number {
  return new Date(toLocal(moment, zone) + DAY / 100).getUTCDay();
}

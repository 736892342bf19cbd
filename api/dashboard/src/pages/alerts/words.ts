// Alerts and their rules in words. Pure.
import type { Schemas } from "../../api/client";
import { exactCount } from "../../numbers/count";
import { legible } from "../../numbers/legible";
import { duration } from "../../numbers/duration";
import { usd } from "../../numbers/money";

export type Alert = Schemas["Alert"];
export type Rule = Schemas["StoredAlertRule"];

/** A value in the unit of an alert, whose numbers are exact decimal text. */
export function inUnit(value: string, unit: string): string {
  if (unit === "usd") return usd(value);
  if (unit === "percent") return `${value}\u00a0%`;
  return unit === "ms" ? duration(Number(value) * 1000) : exactCount(Number(value));
}

/** An alert in a line, without its period. */
export function sentenceOf(alert: Alert): string {
  const of = Object.values(alert.dimensions).map((value) => legible(value ?? "none")).join(", ");
  const reached = alert.threshold_percent ? `, ${alert.threshold_percent}\u00a0% of the budget` : "";
  return `${alert.rule}${of && ` (${of})`}: ${inUnit(alert.value, alert.unit)}, limit ${inUnit(alert.limit, alert.unit)}${reached}`;
}

/** What a rule asks for. */
export function conditionOf(rule: Rule): string {
  const window = rule.window_minutes ? ` within ${rule.window_minutes} minutes` : "";
  switch (rule.kind) {
    case "budget": {
      const amount = usd(String(rule.amount_usd ?? "0"));
      const thresholds = (rule.thresholds ?? []).join(", ");
      return `${amount} ${rule.rolling ? `in any ${lengthOf(rule.rolling)}` : `${rule.period === "hour" ? "an" : "a"} ${rule.period ?? "month"} (${rule.zone ?? "UTC"})`}${thresholds ? `, told at ${thresholds} %` : ""}`;
    }
    case "failure_rate":
      return `${String(rule.percent ?? "")} % failures${window}, of at least ${rule.min_operations ?? 20} operations`;
    case "latency":
      return `${rule.measure === "ttft" ? "time to first token" : "latency"} p${rule.percentile ?? ""} above ${rule.above_ms ?? ""} ms${window}`;
    case "unpriced":
      return `${rule.count ? `${rule.count} ${rule.count === 1 ? "operation" : "operations"}` : `${String(rule.percent ?? "")} %`} without a price${window}`;
    case "anomaly":
      return `${rule.measure ?? "cost"} ${String(rule.factor ?? "")} times the median of the same hour (${rule.zone ?? "UTC"}) in ${rule.weeks ?? 4} weeks, at least ${rule.measure === "cost" ? usd(String(rule.minimum ?? "0")) : String(rule.minimum ?? "")}`;
    default:
      return rule.kind;
  }
}

/** Hours as they were meant: the server has no others. */
export function lengthOf(rolling: string): string {
  const hours = /^(\d+)h$/.exec(rolling)?.[1];
  const days = Number(hours) / 24;
  return hours !== undefined && Number.isInteger(days) && days > 1 ? `${days} days` : rolling.replace(/h$/, " hours");
}

/** Whom a rule is about. */
export function scopeOf(rule: Rule): string {
  const filter = Object.entries(rule.filter ?? {}).map(([name, value]) => `${name} ${value === "" ? "none" : legible(value)}`);
  const parts = [rule.workspace ? `workspace ${legible(rule.workspace)}` : "all workspaces", ...filter];
  if (rule.per && rule.per.length > 0) parts.push(`each ${rule.per.join(" and ")} by itself`);
  return parts.join(", ");
}

const REASONS: Record<string, string> = { period_ended: "the period ended", back_below: "back below the limit", rule_changed: "the rule was changed or deleted" };

export function reasonOf(alert: Alert): string {
  return alert.resolved_because ? (REASONS[alert.resolved_because] ?? alert.resolved_because) : "";
}

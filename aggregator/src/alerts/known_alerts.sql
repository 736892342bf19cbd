-- Alerts of a version of a rule whose periods are looked at, and those that are not over.
select period_start_ms, threshold, combination_hash, alert_id, period_end_ms, resolved_at_ms
from alerts
where rule_id = $1 and rule_version = $2 and period_start_ms >= $3
union all
select period_start_ms, threshold, combination_hash, alert_id, period_end_ms, resolved_at_ms
from alerts
where rule_id = $1 and rule_version = $2 and period_start_ms < $3 and resolved_at_ms is null

-- Whoever changes a rule meanwhile is noticed: of another version nothing is inserted.
insert into alerts (
    rule_id, rule_version, period_start_ms, threshold, combination_hash, alert_id, rule_name, kind, workspace, dimensions,
    period_end_ms, value, limit_value, unit, operations, raised_at_ms, resolved_at_ms, resolved_because, revision, published_revision
)
select
    rule_id, version, $3, $4, $5, $6, $7, $8, $9, $10,
    $11, $12, $13, $14, $15, $16, $17, $18, 1, 0
from alert_rules
where rule_id = $1 and version = $2 and is_enabled
on conflict do nothing

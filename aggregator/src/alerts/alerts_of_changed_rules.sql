select alert_id
from alerts
where resolved_at_ms is null
    and not exists (
        select 1
        from alert_rules
        where alert_rules.rule_id = alerts.rule_id
            and alert_rules.version = alerts.rule_version
            and alert_rules.is_enabled
    )
order by raised_at_ms
limit 200

-- Alerts that were over before $1, and of which nobody is to be told anything any more.
select alert_id
from alerts
where raised_at_ms < $1
    and resolved_at_ms < $1
    and published_revision >= revision
    and not exists (
        select 1
        from webhook_deliveries waiting
        where waiting.alert_id = alerts.alert_id
            and waiting.delivered_at_ms is null
            and waiting.given_up_at_ms is null
    )
order by raised_at_ms
limit 200

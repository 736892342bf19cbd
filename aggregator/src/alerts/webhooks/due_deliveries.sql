-- That an alert is over is told after it was told that it was raised.
select
    alerts.*,
    delivery.target,
    delivery.revision as delivery_revision,
    delivery.attempts,
    delivery.created_at_ms
from webhook_deliveries delivery
join alerts on alerts.alert_id = delivery.alert_id
where delivery.delivered_at_ms is null
    and delivery.given_up_at_ms is null
    and delivery.next_attempt_at_ms <= $1
    and not exists (
        select 1
        from webhook_deliveries earlier
        where earlier.alert_id = delivery.alert_id
            and earlier.target = delivery.target
            and earlier.revision < delivery.revision
            and earlier.delivered_at_ms is null
            and earlier.given_up_at_ms is null
    )
order by delivery.next_attempt_at_ms
limit $2

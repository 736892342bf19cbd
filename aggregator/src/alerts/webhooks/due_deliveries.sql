-- Deliveries that are due at $1, $2 at most and $3 of one webhook: none waits behind those of another that does not answer. That an alert is over is told after it was told that it was raised.
with due as (
    select
        delivery.*,
        row_number() over (partition by delivery.target order by delivery.next_attempt_at_ms) as place
    from webhook_deliveries delivery
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
)
select
    alerts.*,
    due.target,
    due.revision as delivery_revision,
    due.attempts,
    due.created_at_ms
from due
join alerts on alerts.alert_id = due.alert_id
where due.place <= $3
order by due.place, due.next_attempt_at_ms
limit $2

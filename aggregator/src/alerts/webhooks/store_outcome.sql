update webhook_deliveries
set attempts = $4, next_attempt_at_ms = $5, delivered_at_ms = $6, given_up_at_ms = $7, last_error = $8
where alert_id = $1 and target = $2 and revision = $3 and delivered_at_ms is null and given_up_at_ms is null

update aggregator_lease
set fence = fence + 1, holder = $1, expires_at_ms = $2
where lease = 1 and expires_at_ms <= $3
returning fence

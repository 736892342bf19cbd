-- A fence is higher than every one before it, those that this database has forgotten included: one that was restored from a
-- copy begins above what was published since the copy was made, by the clock, in milliseconds.
update aggregator_lease
set fence = case when fence < $4 then $4 else fence + 1 end, holder = $1, expires_at_ms = $2
where lease = 1 and expires_at_ms <= $3
returning fence

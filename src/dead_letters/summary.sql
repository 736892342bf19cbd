select reason_code, count(*) as letters, count(*) - count(redriven_at_ms) as not_redriven,
       min(stored_at_ms) as first_stored_at_ms, max(stored_at_ms) as last_stored_at_ms
from dead_letters
where {conditions}
group by reason_code
order by letters desc, reason_code

select
    min(applied_at_ms) as first_ms,
    max(applied_at_ms) as last_ms,
    cast(coalesce(sum(case when applied_at_ms > (select min(applied_at_ms) from applied_ranges) then rows end), 0) as bigint)
        as rows_after_first
from applied_ranges

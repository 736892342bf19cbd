-- What was applied of a partition, minute by minute. Its newest ranges alone are looked at: ranges have no order of time but this.
select applied_at_ms / 60000 as minute, cast(sum(rows) as bigint) as operations, cast(sum(duplicates) as bigint) as duplicates,
       cast(sum(dead) as bigint) as dead, cast(sum(skipped) as bigint) as skipped
from (
    select applied_at_ms, rows, duplicates, dead, skipped, merged_at_ms
    from applied_ranges
    where stream_id = $1 and applied_ranges.partition = $2
    order by from_offset desc
    limit 10000
) newest
where applied_at_ms >= $3 and merged_at_ms is null
group by applied_at_ms / 60000

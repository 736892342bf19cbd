-- Live files wholly below the id $1, and those of operations on both sides of it.
select
    cast(coalesce(sum(case when max_operation_id < $1 then 1 else 0 end), 0) as bigint) as files,
    cast(coalesce(sum(case when max_operation_id < $1 then bytes else 0 end), 0) as bigint) as bytes,
    cast(
        coalesce(
            sum(case when max_operation_id >= $1 and min_operation_id < $1 and kind = 'operations' then 1 else 0 end), 0
        ) as bigint
    ) as straddling_files
from lake_files
where removed_at_ms is null

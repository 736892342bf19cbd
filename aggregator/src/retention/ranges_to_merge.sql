-- The next ranges of a partition, and whether nothing of them is kept any more.
select
    applied.from_offset,
    applied.to_offset,
    applied.reason,
    applied.rows,
    applied.duplicates,
    applied.dead,
    applied.skipped,
    applied.applied_at_ms,
    applied.merged_at_ms,
    cast(
        case
            when applied.to_offset > $4 or applied.applied_at_ms >= $5 then 0
            when exists (
                select 1
                from lake_files file
                where file.file_number = applied.file_number and file.max_operation_id >= $6
            ) then 0
            -- Merged into another file, which may hold what is kept.
            when exists (
                select 1
                from past_files past
                where past.file_number = applied.file_number and past.max_operation_id >= $6
            ) then 0
            when applied.dead > 0 and exists (
                select 1
                from dead_letters letter
                where letter.stream_id = applied.stream_id
                    and letter.partition = applied.partition
                    and letter.source_offset >= applied.from_offset
                    and letter.source_offset < applied.to_offset
                    and letter.published_at_ms is null
            ) then 0
            else 1
        end as bigint
    ) as is_over
from applied_ranges applied
where applied.stream_id = $1 and applied.partition = $2 and applied.from_offset > $3
order by applied.from_offset
limit 500

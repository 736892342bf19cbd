-- A page of a partition's ranges, and how much of their operations is above the retention floor ($4): 2 all, 1 some or all, 0 none.
-- A file that was merged into another leaves its ids in past_files; one that nobody knows was dropped as a whole; merged ranges name none.
select ranges.from_offset, ranges.to_offset, ranges.rows, ranges.duplicates, ranges.dead, ranges.skipped,
       cast(case when ranges.reason = 'retention_gap' then 1 else 0 end as bigint) as is_gap,
       cast(case when ranges.merged_at_ms is null then 0 else 1 end as bigint) as is_merged,
       cast(case when ranges.merged_at_ms is not null then 0
                 when ranges.file_number is null then 2
                 when coalesce(files.file_number, past.file_number) is null then 0
                 when coalesce(files.max_operation_id, past.max_operation_id) < $4 then 0
                 when coalesce(files.min_operation_id, past.min_operation_id) < $4 then 1
                 else 2 end as bigint) as kept
from applied_ranges ranges
left join lake_files files on files.file_number = ranges.file_number
left join past_files past on past.file_number = ranges.file_number
where ranges.stream_id = $1 and ranges.partition = $2 and ranges.from_offset > $3
order by ranges.from_offset
limit $5

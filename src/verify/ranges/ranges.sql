-- A page of a partition's ranges. Rows of a file that reaches below the retention floor ($4) may have been dropped.
select ranges.from_offset, ranges.to_offset, ranges.rows, ranges.duplicates, ranges.dead, ranges.skipped,
       cast(case when ranges.reason = 'retention_gap' then 1 else 0 end as bigint) as is_gap,
       cast(case when coalesce(files.min_operation_id, past.min_operation_id) < $4 then 0 else 1 end as bigint) as is_kept
from applied_ranges ranges
left join lake_files files on files.file_number = ranges.file_number
left join past_files past on past.file_number = ranges.file_number
where ranges.stream_id = $1 and ranges.partition = $2 and ranges.from_offset > $3
order by ranges.from_offset
limit $5

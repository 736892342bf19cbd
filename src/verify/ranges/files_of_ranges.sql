-- Files whose ranges do not count the rows that the manifest lists. Removed files keep their row there, or leave their number of rows
-- in past_files. Of those below the retention floor ($1) some ranges may have been merged, which then name no file.
select ranges.file_number, cast(sum(ranges.rows) as bigint) as range_rows,
       max(coalesce(files.rows, past.rows)) as file_rows, count(*) over () as total
from applied_ranges ranges
left join lake_files files on files.file_number = ranges.file_number
left join past_files past on past.file_number = ranges.file_number
where coalesce(files.max_operation_id, past.max_operation_id) >= $1
group by ranges.file_number
having sum(ranges.rows) <> max(coalesce(files.rows, past.rows))
order by ranges.file_number
limit 1000

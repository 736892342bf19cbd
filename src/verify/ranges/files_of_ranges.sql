-- Files whose ranges do not count the rows that the manifest lists. Removed files keep their row there, or leave their number of rows.
select ranges.file_number, cast(sum(ranges.rows) as bigint) as range_rows,
       max(coalesce(files.rows, past.rows)) as file_rows, count(*) over () as total
from applied_ranges ranges
left join lake_files files on files.file_number = ranges.file_number
left join past_files past on past.file_number = ranges.file_number
where ranges.file_number is not null
group by ranges.file_number
having max(coalesce(files.rows, past.rows)) is null or sum(ranges.rows) <> max(coalesce(files.rows, past.rows))
order by ranges.file_number
limit 1000

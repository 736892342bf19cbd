-- Files whose ranges do not count the rows that the manifest lists; removed files keep their row there.
select ranges.file_number, cast(sum(ranges.rows) as bigint) as range_rows, max(files.rows) as file_rows,
       count(*) over () as total
from applied_ranges ranges
left join lake_files files on files.file_number = ranges.file_number
where ranges.file_number is not null
group by ranges.file_number
having max(files.rows) is null or sum(ranges.rows) <> max(files.rows)
order by ranges.file_number
limit 1000

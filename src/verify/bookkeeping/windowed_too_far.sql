-- Ranges below windowed_offsets whose file is live and not marked as windowed.
select windowed.stream_id, cast(windowed.partition as bigint) as partition, windowed.next_offset,
       ranges.from_offset, ranges.file_number, count(*) over () as total
from windowed_offsets windowed
join applied_ranges ranges
    on ranges.stream_id = windowed.stream_id and ranges.partition = windowed.partition
    and ranges.from_offset < windowed.next_offset
join lake_files files on files.file_number = ranges.file_number and files.removed_at_ms is null
left join windowed_files marked on marked.generation = $1 and marked.file_number = ranges.file_number
where marked.file_number is null and ranges.rows > 0
order by windowed.stream_id, windowed.partition, ranges.from_offset
limit 1000

-- Which file the rows of each range went to first, and whether they are there no more, since it was merged into another: then
-- it is not live, or forgotten altogether. A file that was given up was not merged.
select
    applied.stream_id,
    cast(applied.partition as bigint) as partition,
    applied.from_offset,
    applied.to_offset,
    applied.file_number,
    cast(case when live.file_number is null and given_up.file_number is null then 1 else 0 end as bigint) as is_merged
from applied_ranges as applied
left join lake_files as live on live.file_number = applied.file_number and live.removed_at_ms is null
left join given_up_files as given_up on given_up.file_number = applied.file_number
where applied.file_number is not null
order by applied.stream_id, applied.partition, applied.from_offset

-- How far each partition is stored and windowed, and what its log had when the ingestor last looked.
select cast(place.partition as bigint) as partition, place.owner, place.next_offset,
       coalesce(windowed.next_offset, place.start_offset) as windowed_to, mark.observed_at_ms, mark.high_watermark
from stream_partitions place
left join windowed_offsets windowed on windowed.stream_id = place.stream_id and windowed.partition = place.partition
left join watermarks mark on mark.stream_id = place.stream_id and mark.partition = place.partition
    and mark.observed_at_ms = (
        select max(newest.observed_at_ms)
        from watermarks newest
        where newest.stream_id = place.stream_id and newest.partition = place.partition
    )
where place.stream_id = $1
order by place.partition

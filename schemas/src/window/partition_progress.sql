with newest as (
    select max(stream_id) as stream_id from stream_partitions
)
select
    place.stream_id,
    cast(place.partition as bigint) as partition,
    place.next_offset,
    coalesce(windowed.next_offset, place.start_offset) as windowed_to
from stream_partitions place
join newest on newest.stream_id = place.stream_id
left join windowed_offsets windowed on windowed.stream_id = place.stream_id and windowed.partition = place.partition
order by place.partition

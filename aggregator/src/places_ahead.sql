select
    place.stream_id,
    cast(place.partition as bigint) as partition,
    coalesce(windowed.next_offset, place.start_offset) as windowed_to
from stream_partitions place
left join windowed_offsets windowed on windowed.stream_id = place.stream_id and windowed.partition = place.partition
where place.next_offset > coalesce(windowed.next_offset, place.start_offset)
order by place.stream_id, place.partition

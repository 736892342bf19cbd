-- The same stream as in complete_to.sql.
with newest as (
    select stream.stream_id
    from streams stream
    where stream.topic = $1
    order by
        case when stream.topic_id like 'until %' then 1 else 0 end,
        (select max(mark.observed_at_ms) from watermarks mark where mark.stream_id = stream.stream_id) desc nulls last,
        stream.stream_id desc
    limit 1
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

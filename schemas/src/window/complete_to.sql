-- Of the streams of the topic, the one with the youngest mark is being ingested, and never one that an operator set aside (docs/topics.md)
-- while there is another. A partition has reached its youngest mark whose offsets are all in windows; a partition without such a mark
-- leaves the answer unknown, and so does one that was never claimed.
with newest as (
    select stream.stream_id
    from streams stream
    where stream.topic = $1
    order by
        case when stream.topic_id like 'until %' then 1 else 0 end,
        (select max(mark.observed_at_ms) from watermarks mark where mark.stream_id = stream.stream_id) desc nulls last,
        stream.stream_id desc
    limit 1
),
reached as (
    select (
        select max(mark.observed_at_ms)
        from watermarks mark
        where mark.stream_id = place.stream_id
            and mark.partition = place.partition
            and mark.high_watermark <= coalesce(
                (
                    select windowed.next_offset
                    from windowed_offsets windowed
                    where windowed.stream_id = place.stream_id and windowed.partition = place.partition
                ),
                place.start_offset
            )
    ) as observed_at_ms
    from stream_partitions place
    join newest on newest.stream_id = place.stream_id
)
select
    case
        when count(*) = count(observed_at_ms)
            and count(*) >= (select partitions from streams join newest on newest.stream_id = streams.stream_id)
        then min(observed_at_ms)
    end as complete_to_ms
from reached

-- The letters that wait, oldest first: at least one, and no more than $1 bytes of keys, values and headers.
with waiting as (
    select letter.stream_id, letter.partition, letter.source_offset, letter.stored_at_ms,
           row_number() over first_to_last as place,
           sum(coalesce(length(record_key), 0) + coalesce(length(record_value), 0) + length(record_headers))
               over first_to_last as bytes_so_far
    from (
        select * from dead_letters
        where published_at_ms is null
        order by stored_at_ms, stream_id, partition, source_offset
        limit 500
    ) as letter
    window first_to_last as (order by stored_at_ms, stream_id, partition, source_offset)
)
select letter.stream_id, cast(letter.partition as bigint) as partition, letter.source_offset, letter.reason_code,
       letter.reason, letter.record_key, letter.record_value, letter.record_headers, letter.record_timestamp_ms,
       letter.stored_at_ms, stream.topic
from waiting
join dead_letters as letter
    on letter.stream_id = waiting.stream_id and letter.partition = waiting.partition
    and letter.source_offset = waiting.source_offset
join streams as stream on stream.stream_id = letter.stream_id
where waiting.place = 1 or waiting.bytes_so_far <= $1
order by waiting.place

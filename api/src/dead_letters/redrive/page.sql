-- Letters, oldest first: at least one, and no more than so many bytes of keys, values and headers.
with chosen as (
    select stream_id, dead_letters.partition, source_offset, stored_at_ms,
           coalesce(length(record_key), 0) + coalesce(length(record_value), 0) + length(record_headers) as bytes
    from dead_letters
    where {conditions}
    order by stored_at_ms, stream_id, dead_letters.partition, source_offset
    limit {letters}
), sized as (
    select chosen.*, row_number() over oldest_first as number, sum(bytes) over oldest_first as bytes_so_far
    from chosen
    window oldest_first as (order by stored_at_ms, stream_id, chosen.partition, source_offset)
)
select letter.stream_id, cast(letter.partition as bigint) as partition, letter.source_offset, letter.reason_code,
       letter.reason, letter.operation_id, letter.record_key, letter.record_value, letter.record_headers,
       letter.record_timestamp_ms, letter.stored_at_ms, letter.published_at_ms, letter.redriven_at_ms,
       stream.cluster_id, stream.topic, stream.topic_id
from sized
join dead_letters as letter
    on letter.stream_id = sized.stream_id and letter.partition = sized.partition and letter.source_offset = sized.source_offset
join streams as stream on stream.stream_id = letter.stream_id
where sized.number = 1 or sized.bytes_so_far <= {bytes}
order by sized.number

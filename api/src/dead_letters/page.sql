-- Letters, newest first, without their records.
select letter.*, stream.topic
from (
    select stream_id, cast(partition as bigint) as partition, source_offset, reason_code, reason, operation_id,
           cast(length(record_key) as bigint) as key_bytes, cast(length(record_value) as bigint) as value_bytes,
           record_timestamp_ms, stored_at_ms, published_at_ms, redriven_at_ms
    from dead_letters
    where {conditions}
    order by stored_at_ms desc, stream_id desc, dead_letters.partition desc, source_offset desc
    limit {limit}
) as letter
join streams as stream on stream.stream_id = letter.stream_id
order by letter.stored_at_ms desc, letter.stream_id desc, letter.partition desc, letter.source_offset desc

select letter.stream_id, cast(letter.partition as bigint) as partition, letter.source_offset, letter.reason_code,
       letter.reason, letter.operation_id, letter.record_key, letter.record_value, letter.record_headers,
       letter.record_timestamp_ms, letter.stored_at_ms, letter.published_at_ms, letter.redriven_at_ms,
       stream.cluster_id, stream.topic, stream.topic_id
from dead_letters as letter
join streams as stream on stream.stream_id = letter.stream_id
where letter.stream_id = $1 and letter.partition = $2 and letter.source_offset = $3

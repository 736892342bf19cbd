select fence, next_offset, record_hash from stream_partitions where stream_id = $1 and partition = $2

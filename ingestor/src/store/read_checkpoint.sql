select fence, next_offset, record_hash, record_hash_offset from stream_partitions where stream_id = $1 and partition = $2

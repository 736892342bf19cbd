select fence, next_offset from stream_partitions where stream_id = $1 and partition = $2

update stream_partitions set next_offset = $5, updated_at_ms = $6, record_hash = $7, record_hash_offset = $5 - 1
where stream_id = $1 and partition = $2 and fence = $3 and next_offset = $4

update dead_letters set redriven_at_ms = $4 where stream_id = $1 and partition = $2 and source_offset = $3

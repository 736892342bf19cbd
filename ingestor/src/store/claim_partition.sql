insert into stream_partitions (stream_id, partition, fence, owner, start_offset, next_offset, updated_at_ms)
values ($1, $2, 1, $3, $4, $4, $5)
on conflict (stream_id, partition) do update
set fence = stream_partitions.fence + 1, owner = excluded.owner, updated_at_ms = excluded.updated_at_ms
returning fence, next_offset, record_hash, record_hash_offset

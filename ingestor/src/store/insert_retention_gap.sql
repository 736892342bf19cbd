insert into applied_ranges
    (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, skipped, file_number, applied_at_ms)
values ($1, $2, $3, $4, 'retention_gap', 0, 0, 0, cast($4 as bigint) - cast($3 as bigint), null, $5)

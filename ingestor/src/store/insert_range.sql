insert into applied_ranges
    (stream_id, partition, from_offset, to_offset, reason, rows, duplicates, dead, skipped, file_number, applied_at_ms)
values ($1, $2, $3, $4, 'batch', $5, $6, $7, $8, $9, $10)

-- The first of the merged ranges stands for all of them, up to $4.
update applied_ranges
set
    to_offset = $4,
    rows = $5,
    duplicates = $6,
    dead = $7,
    skipped = $8,
    file_number = null,
    applied_at_ms = $9,
    merged_at_ms = $10
where stream_id = $1 and partition = $2 and from_offset = $3

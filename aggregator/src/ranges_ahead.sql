select
    applied.from_offset,
    applied.to_offset,
    -- Looked up one by one: as a join, Postgres would read all of lake_files and windowed_files for a few ranges.
    (
        select file.file_number
        from lake_files file
        where file.file_number = applied.file_number and file.removed_at_ms is null
    ) as live_file,
    (
        select done.windowed_at_ms
        from windowed_files done
        where done.generation = $1 and done.file_number = applied.file_number
    ) as windowed_at_ms
from applied_ranges applied
where applied.stream_id = $2
    and applied.partition = $3
    and applied.from_offset >= $4
order by applied.from_offset
limit 256

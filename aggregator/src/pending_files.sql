select file.file_number, file.path, file.rows, file.committed_at_ms
from lake_files file
where file.file_number in (
        select applied.file_number
        from stream_partitions place
        -- `cross join` keeps SQLite from reading all ranges first.
        cross join applied_ranges applied
        where applied.stream_id = place.stream_id
            and applied.partition = place.partition
            and applied.from_offset >= coalesce(
                (
                    select windowed.next_offset
                    from windowed_offsets windowed
                    where windowed.stream_id = place.stream_id and windowed.partition = place.partition
                ),
                place.start_offset
            )
            and applied.file_number is not null
            and not exists (
                select 1
                from windowed_files done
                where done.generation = $1 and done.file_number = applied.file_number
            )
    )
    and file.kind = 'operations'
    and file.removed_at_ms is null
order by file.file_number
limit $2

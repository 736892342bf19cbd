-- A file whose contents could not be deleted yet waits for them.
delete from lake_files
where file_number in ({rows})
    and removed_at_ms is not null
    and not exists (
        select 1
        from lake_files contents
        where contents.operations_file = lake_files.file_number
    )
    and not exists (
        select 1
        from window_progress progress
        where progress.file_number = lake_files.file_number
    )

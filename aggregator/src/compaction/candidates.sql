-- The next small live files of operations that generation $1 has wholly, behind an id and number ($3, $4). Files that lie below the
-- retention floor ($2, its lowest id) will be dropped.
select file.file_number, file.rows, file.min_operation_id, file.max_operation_id, file.committed_at_ms,
    exists (
        select 1
        from lake_files contents
        where contents.operations_file = file.file_number and contents.removed_at_ms is null
    ) as has_content,
    exists (
        select 1
        from lake_files contents
        where contents.operations_file = file.file_number
            and contents.removed_at_ms is null
            and not exists (
                select 1
                from operation_contents kept
                where kept.operation_id = contents.max_operation_id
            )
    ) as has_content_apart
from lake_files file
where file.kind = 'operations'
    and file.removed_at_ms is null
    and file.rows < 50000
    and (file.min_operation_id, file.file_number) > ($3, $4)
    and file.max_operation_id >= $2
    -- Looked up one by one: as a join, Postgres would read all of windowed_files for a few files.
    and (
        select done.windowed_at_ms
        from windowed_files done
        where done.generation = $1 and done.file_number = file.file_number
    ) is not null
order by file.min_operation_id, file.file_number
limit 10000

-- The next files that ceased to be live before $1, behind a time and number ($2, $3). Those that were given up stay listed, with their contents, until all of
-- their operations are below the lowest id that is kept ($4).
select file.file_number, file.path, file.removed_at_ms
from lake_files file
where file.removed_at_ms <= $1
    and (file.removed_at_ms, file.file_number) > ($2, $3)
    and (
        file.max_operation_id < $4
        or not exists (
            select 1
            from given_up_files given_up
            where given_up.file_number = file.file_number
                or given_up.file_number = file.operations_file
        )
    )
order by file.removed_at_ms, file.file_number
limit 500

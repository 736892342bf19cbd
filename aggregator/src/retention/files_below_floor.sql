-- Live files of operations that are wholly below the lowest id that is kept ($1), and in the windows.
select file.file_number
from lake_files file
where file.kind = 'operations'
    and file.removed_at_ms is null
    and file.max_operation_id < $1
    and exists (
        select 1
        from windowed_files done
        where done.generation = (select value from settings where name = 'window_generation')
            and done.file_number = file.file_number
    )
order by file.file_number
limit 256

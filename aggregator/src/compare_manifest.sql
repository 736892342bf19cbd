select file.file_number, file.path, file.rows, file.committed_at_ms
from lake_files file
where file.kind = 'operations'
    and file.removed_at_ms is null
    and not exists (
        select 1
        from windowed_files done
        where done.generation = $1 and done.file_number = file.file_number
    )
order by file.file_number
limit 1000

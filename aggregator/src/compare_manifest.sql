select file.file_number, file.path, file.rows, file.committed_at_ms, progress.before_ms
from lake_files file
left join window_progress progress on progress.generation = $1 and progress.file_number = file.file_number
where file.kind = 'operations'
    and file.removed_at_ms is null
    and not exists (
        select 1
        from windowed_files done
        where done.generation = $1 and done.file_number = file.file_number
    )
order by file.file_number
limit 1000

select file.file_number, file.path, file.rows, file.committed_at_ms, progress.before_ms
from windowed_files source
join lake_files file on file.file_number = source.file_number
left join window_progress progress on progress.generation = $2 and progress.file_number = source.file_number
where source.generation = $1
    and source.file_number > $3
    and file.removed_at_ms is null
    -- Looked up one by one: as a join, Postgres would read all of the new generation for a few files.
    and (
        select done.windowed_at_ms
        from windowed_files done
        where done.generation = $2 and done.file_number = source.file_number
    ) is null
order by source.file_number
limit 64

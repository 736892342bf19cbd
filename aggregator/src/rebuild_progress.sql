select
    (select count(*) from windowed_files built where built.generation = $2) as done,
    (
        select count(*)
        from windowed_files source
        join lake_files file on file.file_number = source.file_number
        where source.generation = $1 and file.removed_at_ms is null
    ) as files

-- The next live files of operations that generation $1 has wholly, with operations from id $2 to before id $3, that are not done,
-- behind an id and number ($4, $5).
select file.file_number, file.min_operation_id
from lake_files file
where file.kind = 'operations'
    and file.removed_at_ms is null
    and file.max_operation_id >= $2
    and file.min_operation_id < $3
    and (file.min_operation_id, file.file_number) > ($4, $5)
    and not exists (select 1 from repriced_files done where done.file_number = file.file_number)
    and (
        select windowed.windowed_at_ms
        from windowed_files windowed
        where windowed.generation = $1 and windowed.file_number = file.file_number
    ) is not null
order by file.min_operation_id, file.file_number
limit $6

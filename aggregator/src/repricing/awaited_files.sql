-- Files with operations from id $2 to before id $3 that were committed before time $4, and that generation $1 does not have yet.
select file.file_number
from lake_files file
where file.kind = 'operations'
    and file.removed_at_ms is null
    and file.max_operation_id >= $2
    and file.min_operation_id < $3
    and file.committed_at_ms <= $4
    and not exists (
        select 1
        from windowed_files windowed
        where windowed.generation = $1 and windowed.file_number = file.file_number
    )
limit 1

-- Live files by kind, and those of operations that are not in the windows of this generation yet.
select kind, count(*) as files, cast(sum(rows) as bigint) as rows, cast(sum(bytes) as bigint) as bytes,
       cast(sum(waits) as bigint) as waiting_files, cast(sum(waits * rows) as bigint) as waiting_rows
from (
    select kind, rows, bytes,
           case when kind = 'operations' and not exists (
               select 1 from windowed_files windowed
               where windowed.generation = $1 and windowed.file_number = lake_files.file_number
           ) then 1 else 0 end as waits
    from lake_files
    where removed_at_ms is null
) live
group by kind

-- Live contents whose operations file is absent, of the wrong kind or no longer live.
select contents.file_number, contents.path, count(*) over () as total
from lake_files contents
left join lake_files operations
    on operations.file_number = contents.operations_file
    and operations.kind = 'operations'
    and operations.removed_at_ms is null
where contents.kind = 'contents' and contents.removed_at_ms is null and operations.file_number is null
order by contents.file_number
limit 1000

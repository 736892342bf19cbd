-- Files of operations that were declared lost and are still out of the manifest.
select files.file_number, files.path, files.rows, count(*) over () as total
from given_up_files given_up
join lake_files files on files.file_number = given_up.file_number
where files.removed_at_ms is not null
order by files.file_number
limit 1000

-- Progress of files that are windowed wholly, or no live files of operations.
select progress.file_number, count(*) over () as total
from window_progress progress
left join lake_files files
    on files.file_number = progress.file_number and files.kind = 'operations' and files.removed_at_ms is null
left join windowed_files marked
    on marked.generation = progress.generation and marked.file_number = progress.file_number
where progress.generation = $1 and (files.file_number is null or marked.file_number is not null)
order by progress.file_number
limit 1000

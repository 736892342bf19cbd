-- Marks of files that are no operations file.
select windowed.file_number, count(*) over () as total
from windowed_files windowed
left join lake_files files on files.file_number = windowed.file_number and files.kind = 'operations'
where windowed.generation = $1 and files.file_number is null
order by windowed.file_number
limit 1000

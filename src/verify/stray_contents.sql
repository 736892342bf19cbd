-- Contents in SQL whose operation is absent or says that it has none.
select contents.operation_id, count(*) over () as total
from operation_contents contents
left join operations on operations.operation_id = contents.operation_id and operations.has_content
where contents.operation_id >= $1 and operations.operation_id is null
order by contents.operation_id
limit 1000

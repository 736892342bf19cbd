-- Files below the lowest id that is kept ($1) that were removed before $2. Contents come first, since they refer to their operations;
-- a file of operations whose contents are still listed waits for them.
select file.file_number, file.path
from lake_files file
where file.removed_at_ms <= $2
    and file.max_operation_id < $1
    and not exists (select 1 from lake_files contents where contents.operations_file = file.file_number)
order by file.kind, file.file_number
limit 256

-- Small files are merged into larger ones. What was merged is deleted an hour later, and then forgotten by the manifest.

-- How often the rows of a file were written again at most: 0 for a file of the ingestor.
alter table lake_files add column merges bigint not null default 0;

-- What compaction looks through: the live files of operations that are still small. Half the target of a merged file.
create index lake_files_small on lake_files (min_operation_id, file_number)
    where kind = 'operations' and removed_at_ms is null and rows < 50000;
-- The contents of a file of operations.
create index lake_files_contents on lake_files (operations_file) where operations_file is not null;
-- What is to be deleted.
create index lake_files_removed on lake_files (removed_at_ms, file_number) where removed_at_ms is not null;
create index windowed_files_by_file on windowed_files (file_number);

-- Files of the ingestor that are gone from the lake and from the manifest, as far as applied_ranges needs them.
create table past_files (
    file_number bigint primary key,
    rows bigint not null,
    min_operation_id uuid not null,
    max_operation_id uuid not null
);

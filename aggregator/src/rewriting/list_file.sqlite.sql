-- As for the ingestor's files: one that was named more than an hour ago is refused, so that the sweeper, which deletes unlisted files
-- older than a day, can never meet it. The database's clock decides.
insert into lake_files (
    path, kind, operations_file, named_at_ms, committed_at_ms, merges, rows, bytes, id_hash, min_operation_id, max_operation_id,
    failures, unpriced, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, cost_nano_usd, reported_cost_nano_usd
)
select $1, $2, $3, $4, clock.now_ms, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18
from (select cast(unixepoch('subsec') * 1000 as integer) as now_ms) as clock
where $4 > clock.now_ms - 3600000
returning file_number

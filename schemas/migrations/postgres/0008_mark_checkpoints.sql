-- Hash of the last record that is applied, and its offset: by them the log of a topic that was made again is told from the old one.
-- Null: not known.
alter table stream_partitions add column record_hash bigint;
alter table stream_partitions add column record_hash_offset bigint;

-- Hash of the record before next_offset, by which the log of a topic that was made again is told from the old one. Null: not known.
alter table stream_partitions add column record_hash integer;

-- When a dead letter was last sent to the topic again, and the broker had acknowledged it. Null: not yet.
alter table dead_letters add column redriven_at_ms bigint;

-- Lists run by age. In SQLite a row holds its record, megabytes perhaps, so what lists filter and count by is in the index too.
create index dead_letters_by_age on dead_letters
    (stored_at_ms, stream_id, partition, source_offset, reason_code, redriven_at_ms);

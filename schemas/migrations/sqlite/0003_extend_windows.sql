-- Files of many windows are added in portions, the expiry of windows does not wait for the topic, lost files can be given up.

-- Files of which a part is in the windows of the generation: the operations before before_ms, a whole minute, and no others.
-- The transaction that adds the last part deletes the row and writes windowed_files.
create table window_progress (
    generation integer not null,
    file_number integer not null references lake_files,
    before_ms integer not null,
    primary key (generation, file_number)
) without rowid;

-- Outbox of tombstones: windows that were deleted and whose last value may still be on the topic.
create table window_tombstones (
    dimension_set integer not null,
    level integer not null,
    window_start_ms integer not null,
    dimension_id integer not null,
    primary key (dimension_set, level, window_start_ms, dimension_id)
) without rowid;

-- Operations files that an operator declared lost; lake_files.removed_at_ms is set with it.
create table given_up_files (
    file_number integer primary key references lake_files,
    given_up_at_ms integer not null
) without rowid;

-- window_rebuild_floor_ms: what window_minute_floor_ms becomes when the rebuild takes over, if that is lower.
insert into settings (name, value) values ('window_rebuild_floor_ms', 0);

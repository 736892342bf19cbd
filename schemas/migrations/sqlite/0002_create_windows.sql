-- Windows, and what says how far they reach. dimension_set and level are the codes of schemas/src/window.rs:
-- sets 0 base, 1 workspace, 2 provider_model, 3 project, 4 team, 5 agent_action, 6 operation_type;
-- levels 0 minute, 1 quarter_hour, 2 hour, 3 day. Readers take generation = settings.window_generation.

-- One row per combination of values that has windows. key_hash: the first 16 bytes of the SHA-256 of the combination's
-- key text; a unique index over nine texts would exceed what an index entry may hold. A dimension that the set does
-- not keep is null; beyond the limit of combinations all but the workspace are '(other)'.
create table window_dimensions (
    dimension_id integer primary key autoincrement,
    dimension_set integer not null,
    key_hash blob not null unique,
    workspace text not null,
    project text,
    team text,
    environment text,
    provider text,
    model text,
    operation_type text,
    agent_id text,
    action_id text
);

-- Sums over the operations of [window_start_ms, + width). A combination is kept in an hour exactly if its hour window
-- exists; everything else of that hour is in the '(other)' of its set. fence and revision: who changed the row last and how often.
-- published_revision is the outbox of the topic; is_published keeps the index still while a row changes again and again, which
-- lets Postgres update it in place (HOT). Minutes before settings.window_minute_floor_ms are not kept.
create table windows (
    generation integer not null,
    dimension_set integer not null,
    level integer not null,
    window_start_ms integer not null,
    dimension_id integer not null,
    fence integer not null,
    revision integer not null,
    published_revision integer not null,
    is_published integer not null generated always as (revision = published_revision) stored,
    operations integer not null,
    failures integer not null,
    unpriced integer not null,
    reported integer not null,
    input_tokens integer not null,
    cache_read_tokens integer not null,
    cache_write_tokens integer not null,
    cache_write_1h_tokens integer not null,
    output_tokens integer not null,
    reasoning_tokens integer not null,
    input_audio_tokens integer not null,
    output_audio_tokens integer not null,
    input_image_tokens integer not null,
    output_image_tokens integer not null,
    web_searches integer not null,
    cost_nano_usd integer not null,
    reported_cost_nano_usd integer not null,
    latency_count integer not null,
    latency_sum_us integer not null,
    ttft_count integer not null,
    ttft_sum_us integer not null,
    latency_sketch blob not null,
    ttft_sketch blob not null,
    primary key (generation, dimension_set, level, window_start_ms, dimension_id)
) without rowid;
create index windows_outbox on windows (generation, level, window_start_ms) where not is_published;

-- Files whose operations are in the windows of the generation, each exactly once.
create table windowed_files (
    generation integer not null,
    file_number integer not null references lake_files,
    windowed_at_ms integer not null,
    primary key (generation, file_number)
) without rowid;

-- Per partition, all offsets below next_offset are in the windows of the current generation. No row: none yet.
create table windowed_offsets (
    stream_id integer not null,
    partition integer not null,
    next_offset integer not null,
    primary key (stream_id, partition)
) without rowid;

-- Marks of the ingestor, about one per partition and second: before observed_at_ms the broker had acknowledged
-- offsets below high_watermark. A mark is deleted once a younger one has been passed by windowed_offsets.
create table watermarks (
    stream_id integer not null,
    partition integer not null,
    observed_at_ms integer not null,
    high_watermark integer not null,
    primary key (stream_id, partition, observed_at_ms)
) without rowid;

-- One aggregator is active: the holder of the highest fence. Another may take the lease once it has expired.
create table aggregator_lease (
    lease integer primary key check (lease = 1),
    fence integer not null,
    holder text not null,
    expires_at_ms integer not null
) without rowid;
insert into aggregator_lease (lease, fence, holder, expires_at_ms) values (1, 0, '', 0);

-- window_rebuild: the generation that is being built beside the current one, 0 when none is.
insert into settings (name, value) values ('window_generation', 1), ('window_rebuild', 0), ('window_minute_floor_ms', 0);

-- Times are Unix milliseconds (_ms) or microseconds (_us) in UTC, money is nano-USD, JSON is kept as text.

-- One row per operation; the columns are documented in docs/sql.md. operation_id is a UUIDv7: its order is the order of time.
-- Partitioned by day; the days ahead are created by the ingestor, and there is no default partition.
create table operations (
    operation_id uuid not null primary key,
    time_ms bigint not null,
    stream_id bigint not null,
    source_partition integer not null,
    source_offset bigint not null,
    workspace text not null,
    call_id text,
    attempt integer not null,
    trace_id text,
    span_id text,
    parent_span_id text,
    response_id text,
    producer_id text,
    producer_seq bigint,
    project text,
    team text,
    environment text,
    service text,
    session_id text,
    user_id text,
    agent_id text,
    agent_name text,
    action_id text,
    operation_type text not null,
    source_type text,
    provider text,
    model text,
    response_model text,
    endpoint text,
    service_tier text,
    processing text,
    stream boolean,
    temperature double precision,
    max_tokens bigint,
    request_parameters text,
    started_at_us bigint not null,
    latency_us bigint,
    queue_us bigint,
    ttft_us bigint,
    generation_us bigint,
    success boolean not null,
    error_type text,
    error_message text,
    http_status integer,
    finish_reasons text,
    input_tokens bigint,
    cache_read_tokens bigint not null,
    cache_write_tokens bigint not null,
    cache_write_1h_tokens bigint not null,
    output_tokens bigint,
    reasoning_tokens bigint not null,
    input_audio_tokens bigint not null,
    output_audio_tokens bigint not null,
    input_image_tokens bigint not null,
    output_image_tokens bigint not null,
    web_searches bigint not null,
    billable_units text,
    reported_cost_nano_usd bigint,
    cost_nano_usd bigint,
    cost_status text not null,
    price_model text,
    price_version text not null,
    content_truncated boolean not null,
    content_redacted boolean not null,
    tags text,
    metadata text,
    has_content boolean not null
) partition by range (operation_id);

-- Prompts, messages and tool definitions, where they are also kept in SQL.
create table operation_contents (
    operation_id uuid primary key,
    system_prompt text,
    input_messages text,
    output_messages text,
    tool_definitions text
);

-- One row per incarnation of a topic that was ever read: offsets mean nothing outside it.
create table streams (
    stream_id bigint generated always as identity primary key,
    cluster_id text not null,
    topic text not null,
    topic_id text not null,
    first_seen_ms bigint not null,
    unique (cluster_id, topic, topic_id)
);

-- Checkpoint and fence of each partition. Whoever holds a lower fence has been replaced.
create table stream_partitions (
    stream_id bigint not null references streams,
    partition integer not null,
    fence bigint not null,
    owner text not null,
    start_offset bigint not null,
    next_offset bigint not null,
    updated_at_ms bigint not null,
    primary key (stream_id, partition)
);

-- What became of every offset: rows + duplicates + dead + skipped = to_offset - from_offset. The ranges of a
-- partition touch each other from start_offset to next_offset.
create table applied_ranges (
    stream_id bigint not null,
    partition integer not null,
    from_offset bigint not null,
    to_offset bigint not null,
    reason text not null check (reason in ('batch', 'retention_gap')),
    rows bigint not null,
    duplicates bigint not null,
    dead bigint not null,
    skipped bigint not null,
    file_number bigint,
    applied_at_ms bigint not null,
    primary key (stream_id, partition, from_offset),
    check (rows + duplicates + dead + skipped = to_offset - from_offset)
);

-- The manifest: a file of the lake exists only if it is listed here, and is live while removed_at_ms is null.
create table lake_files (
    file_number bigint generated always as identity primary key,
    path text not null unique,
    kind text not null check (kind in ('operations', 'contents')),
    operations_file bigint references lake_files,
    named_at_ms bigint not null,
    committed_at_ms bigint not null,
    removed_at_ms bigint,
    rows bigint not null,
    bytes bigint not null,
    id_hash bigint not null,
    min_operation_id uuid not null,
    max_operation_id uuid not null,
    failures bigint not null,
    unpriced bigint not null,
    input_tokens bigint not null,
    output_tokens bigint not null,
    cache_read_tokens bigint not null,
    cache_write_tokens bigint not null,
    cost_nano_usd bigint not null,
    reported_cost_nano_usd bigint not null
);

-- Records that could not become operations, with their original bytes. published_at_ms is the outbox of the topic.
create table dead_letters (
    stream_id bigint not null,
    partition integer not null,
    source_offset bigint not null,
    reason_code text not null,
    reason text not null,
    operation_id uuid,
    record_key bytea,
    record_value bytea,
    record_headers text not null,
    record_timestamp_ms bigint,
    stored_at_ms bigint not null,
    published_at_ms bigint,
    primary key (stream_id, partition, source_offset)
);
create index dead_letters_outbox on dead_letters (stored_at_ms) where published_at_ms is null;

-- Small facts that transactions must agree on.
create table settings (
    name text primary key,
    value bigint not null
);
insert into settings (name, value) values ('retention_floor_ms', 1420070400000);

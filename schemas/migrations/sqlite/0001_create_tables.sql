-- Times are Unix milliseconds (_ms) or microseconds (_us) in UTC, money is nano-USD, JSON is kept as text.

-- One row per operation; the columns are documented in docs/sql.md. operation_id is a UUIDv7: its order is the order of time.
create table operations (
    operation_id blob not null primary key,
    time_ms integer not null,
    stream_id integer not null,
    source_partition integer not null,
    source_offset integer not null,
    workspace text not null,
    call_id text,
    attempt integer not null,
    trace_id text,
    span_id text,
    parent_span_id text,
    response_id text,
    producer_id text,
    producer_seq integer,
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
    stream integer,
    temperature real,
    max_tokens integer,
    request_parameters text,
    started_at_us integer not null,
    latency_us integer,
    queue_us integer,
    ttft_us integer,
    generation_us integer,
    success integer not null,
    error_type text,
    error_message text,
    http_status integer,
    finish_reasons text,
    input_tokens integer,
    cache_read_tokens integer not null,
    cache_write_tokens integer not null,
    cache_write_1h_tokens integer not null,
    output_tokens integer,
    reasoning_tokens integer not null,
    input_audio_tokens integer not null,
    output_audio_tokens integer not null,
    input_image_tokens integer not null,
    output_image_tokens integer not null,
    web_searches integer not null,
    billable_units text,
    reported_cost_nano_usd integer,
    cost_nano_usd integer,
    cost_status text not null,
    price_model text,
    price_version text not null,
    content_truncated integer not null,
    content_redacted integer not null,
    tags text,
    metadata text,
    has_content integer not null
) without rowid;

-- Prompts, messages and tool definitions, where they are also kept in SQL.
create table operation_contents (
    operation_id blob primary key,
    system_prompt text,
    input_messages text,
    output_messages text,
    tool_definitions text
) without rowid;

-- One row per incarnation of a topic that was ever read: offsets mean nothing outside it.
create table streams (
    stream_id integer primary key autoincrement,
    cluster_id text not null,
    topic text not null,
    topic_id text not null,
    first_seen_ms integer not null,
    unique (cluster_id, topic, topic_id)
);

-- Checkpoint and fence of each partition. Whoever holds a lower fence has been replaced.
create table stream_partitions (
    stream_id integer not null references streams,
    partition integer not null,
    fence integer not null,
    owner text not null,
    start_offset integer not null,
    next_offset integer not null,
    updated_at_ms integer not null,
    primary key (stream_id, partition)
) without rowid;

-- What became of every offset: rows + duplicates + dead + skipped = to_offset - from_offset. The ranges of a
-- partition touch each other from start_offset to next_offset.
create table applied_ranges (
    stream_id integer not null,
    partition integer not null,
    from_offset integer not null,
    to_offset integer not null,
    reason text not null check (reason in ('batch', 'retention_gap')),
    rows integer not null,
    duplicates integer not null,
    dead integer not null,
    skipped integer not null,
    file_number integer,
    applied_at_ms integer not null,
    primary key (stream_id, partition, from_offset),
    check (rows + duplicates + dead + skipped = to_offset - from_offset)
) without rowid;

-- The manifest: a file of the lake exists only if it is listed here, and is live while removed_at_ms is null.
create table lake_files (
    file_number integer primary key autoincrement,
    path text not null unique,
    kind text not null check (kind in ('operations', 'contents')),
    operations_file integer references lake_files,
    named_at_ms integer not null,
    committed_at_ms integer not null,
    removed_at_ms integer,
    rows integer not null,
    bytes integer not null,
    id_hash integer not null,
    min_operation_id blob not null,
    max_operation_id blob not null,
    failures integer not null,
    unpriced integer not null,
    input_tokens integer not null,
    output_tokens integer not null,
    cache_read_tokens integer not null,
    cache_write_tokens integer not null,
    cost_nano_usd integer not null,
    reported_cost_nano_usd integer not null
);

-- Records that could not become operations, with their original bytes. published_at_ms is the outbox of the topic.
create table dead_letters (
    stream_id integer not null,
    partition integer not null,
    source_offset integer not null,
    reason_code text not null,
    reason text not null,
    operation_id blob,
    record_key blob,
    record_value blob,
    record_headers text not null,
    record_timestamp_ms integer,
    stored_at_ms integer not null,
    published_at_ms integer,
    primary key (stream_id, partition, source_offset)
) without rowid;
create index dead_letters_outbox on dead_letters (stored_at_ms) where published_at_ms is null;

-- Small facts that transactions must agree on.
create table settings (
    name text primary key,
    value integer not null
) without rowid;
insert into settings (name, value) values ('retention_floor_ms', 1420070400000);

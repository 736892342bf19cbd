-- Prompts and answers that came as log records, shown with the operation of their span. content_id is a UUIDv7 of recorded_at_us and of all that
-- the record says: one that comes again adds nothing.
create table span_contents (
    content_id uuid not null primary key,
    workspace text not null,
    trace_id text not null,
    span_id text not null,
    recorded_at_us bigint not null,
    sequence integer not null,
    event_name text not null,
    system_prompt text,
    input_messages text,
    output_messages text,
    tool_definitions text
);
create index span_contents_span on span_contents (trace_id, span_id);

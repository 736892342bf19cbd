-- A mark is useless once a younger one has been passed.
delete from watermarks
where stream_id = $1 and partition = $2 and observed_at_ms < (
    select max(passed.observed_at_ms)
    from watermarks as passed
    join windowed_offsets as windowed on windowed.stream_id = passed.stream_id and windowed.partition = passed.partition
    where passed.stream_id = $1 and passed.partition = $2 and passed.high_watermark <= windowed.next_offset
)

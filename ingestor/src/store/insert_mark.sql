insert into watermarks (stream_id, partition, observed_at_ms, high_watermark) values ($1, $2, $3, $4)
on conflict do nothing

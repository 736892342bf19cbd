insert into windows (
    generation, dimension_set, level, window_start_ms, dimension_id,
    fence, revision, published_revision,
    operations, failures, unpriced, reported, input_tokens, cache_read_tokens, cache_write_tokens,
    cache_write_1h_tokens, output_tokens, reasoning_tokens, input_audio_tokens, output_audio_tokens,
    input_image_tokens, output_image_tokens, web_searches, cost_nano_usd, reported_cost_nano_usd,
    latency_count, latency_sum_us, ttft_count, ttft_sum_us, input_cost_nano_usd, cache_read_cost_nano_usd,
    cache_write_cost_nano_usd, output_cost_nano_usd, unit_cost_nano_usd, cache_savings_nano_usd, latency_sketch, ttft_sketch
)
values {rows}
on conflict (generation, dimension_set, level, window_start_ms, dimension_id) do update set
    fence = excluded.fence,
    revision = excluded.revision,
    operations = excluded.operations,
    failures = excluded.failures,
    unpriced = excluded.unpriced,
    reported = excluded.reported,
    input_tokens = excluded.input_tokens,
    cache_read_tokens = excluded.cache_read_tokens,
    cache_write_tokens = excluded.cache_write_tokens,
    cache_write_1h_tokens = excluded.cache_write_1h_tokens,
    output_tokens = excluded.output_tokens,
    reasoning_tokens = excluded.reasoning_tokens,
    input_audio_tokens = excluded.input_audio_tokens,
    output_audio_tokens = excluded.output_audio_tokens,
    input_image_tokens = excluded.input_image_tokens,
    output_image_tokens = excluded.output_image_tokens,
    web_searches = excluded.web_searches,
    cost_nano_usd = excluded.cost_nano_usd,
    reported_cost_nano_usd = excluded.reported_cost_nano_usd,
    latency_count = excluded.latency_count,
    latency_sum_us = excluded.latency_sum_us,
    ttft_count = excluded.ttft_count,
    ttft_sum_us = excluded.ttft_sum_us,
    input_cost_nano_usd = excluded.input_cost_nano_usd,
    cache_read_cost_nano_usd = excluded.cache_read_cost_nano_usd,
    cache_write_cost_nano_usd = excluded.cache_write_cost_nano_usd,
    output_cost_nano_usd = excluded.output_cost_nano_usd,
    unit_cost_nano_usd = excluded.unit_cost_nano_usd,
    cache_savings_nano_usd = excluded.cache_savings_nano_usd,
    latency_sketch = excluded.latency_sketch,
    ttft_sketch = excluded.ttft_sketch
-- Whoever wrote in between is noticed by the number of rows.
where windows.revision = excluded.revision - 1

select
    cast(stored.dimension_set as bigint) as dimension_set,
    cast(stored.level as bigint) as level,
    stored.window_start_ms,
    stored.dimension_id,
    stored.revision,
    stored.operations,
    stored.failures,
    stored.unpriced,
    stored.reported,
    stored.input_tokens,
    stored.cache_read_tokens,
    stored.cache_write_tokens,
    stored.cache_write_1h_tokens,
    stored.output_tokens,
    stored.reasoning_tokens,
    stored.input_audio_tokens,
    stored.output_audio_tokens,
    stored.input_image_tokens,
    stored.output_image_tokens,
    stored.web_searches,
    stored.cost_nano_usd,
    stored.reported_cost_nano_usd,
    stored.latency_count,
    stored.latency_sum_us,
    stored.ttft_count,
    stored.ttft_sum_us,
    stored.input_cost_nano_usd,
    stored.cache_read_cost_nano_usd,
    stored.cache_write_cost_nano_usd,
    stored.output_cost_nano_usd,
    stored.unit_cost_nano_usd,
    stored.cache_savings_nano_usd,
    stored.compared,
    stored.reported_difference_nano_usd,
    stored.reported_as_cost_nano_usd,
    stored.latency_sketch,
    stored.ttft_sketch
from (values {rows}) as wanted
-- `cross join` makes SQLite look each one up instead of reading all windows.
cross join windows stored
where stored.generation = $1
    and stored.dimension_set = wanted.column1
    and stored.level = wanted.column2
    and stored.window_start_ms = wanted.column3
    and stored.dimension_id = wanted.column4

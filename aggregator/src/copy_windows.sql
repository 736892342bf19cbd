insert into windows (
    generation, dimension_set, level, window_start_ms, dimension_id,
    fence, revision, published_revision,
    operations, failures, unpriced, reported, input_tokens, cache_read_tokens, cache_write_tokens,
    cache_write_1h_tokens, output_tokens, reasoning_tokens, input_audio_tokens, output_audio_tokens,
    input_image_tokens, output_image_tokens, web_searches, cost_nano_usd, reported_cost_nano_usd,
    latency_count, latency_sum_us, ttft_count, ttft_sum_us, input_cost_nano_usd, cache_read_cost_nano_usd,
    cache_write_cost_nano_usd, output_cost_nano_usd, unit_cost_nano_usd, cache_savings_nano_usd, compared,
    reported_difference_nano_usd, reported_as_cost_nano_usd, latency_sketch, ttft_sketch
)
select
    $7, present.dimension_set, present.level, present.window_start_ms, present.dimension_id,
    $8, 1, 0,
    present.operations, present.failures, present.unpriced, present.reported, present.input_tokens,
    present.cache_read_tokens, present.cache_write_tokens, present.cache_write_1h_tokens, present.output_tokens,
    present.reasoning_tokens, present.input_audio_tokens, present.output_audio_tokens,
    present.input_image_tokens, present.output_image_tokens, present.web_searches, present.cost_nano_usd,
    present.reported_cost_nano_usd, present.latency_count, present.latency_sum_us, present.ttft_count,
    present.ttft_sum_us, present.input_cost_nano_usd, present.cache_read_cost_nano_usd,
    present.cache_write_cost_nano_usd, present.output_cost_nano_usd, present.unit_cost_nano_usd,
    present.cache_savings_nano_usd, present.compared, present.reported_difference_nano_usd,
    present.reported_as_cost_nano_usd, present.latency_sketch, present.ttft_sketch
from windows present
where present.generation = $1
    and present.dimension_set = $2
    and present.level = $3
    and present.window_start_ms < $4
    and (present.window_start_ms, present.dimension_id) > ($5, $6)
order by present.window_start_ms, present.dimension_id
limit 1000

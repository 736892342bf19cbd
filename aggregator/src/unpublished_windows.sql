select
    changed.generation,
    changed.window_start_ms,
    changed.dimension_id,
    changed.fence,
    changed.revision,
    changed.operations,
    changed.failures,
    changed.unpriced,
    changed.reported,
    changed.input_tokens,
    changed.cache_read_tokens,
    changed.cache_write_tokens,
    changed.cache_write_1h_tokens,
    changed.output_tokens,
    changed.reasoning_tokens,
    changed.input_audio_tokens,
    changed.output_audio_tokens,
    changed.input_image_tokens,
    changed.output_image_tokens,
    changed.web_searches,
    changed.cost_nano_usd,
    changed.reported_cost_nano_usd,
    changed.latency_count,
    changed.latency_sum_us,
    changed.ttft_count,
    changed.ttft_sum_us,
    changed.input_cost_nano_usd,
    changed.cache_read_cost_nano_usd,
    changed.cache_write_cost_nano_usd,
    changed.output_cost_nano_usd,
    changed.unit_cost_nano_usd,
    changed.cache_savings_nano_usd,
    changed.latency_sketch,
    changed.ttft_sketch,
    cast(combination.dimension_set as bigint) as dimension_set,
    combination.workspace,
    combination.project,
    combination.team,
    combination.environment,
    combination.provider,
    combination.model,
    combination.operation_type,
    combination.agent_id,
    combination.action_id
from windows changed
join window_dimensions combination on combination.dimension_id = changed.dimension_id
where changed.generation = (select value from settings where name = 'window_generation')
    and not changed.is_published
    and changed.level = $1
    and (changed.window_start_ms, changed.dimension_set, changed.dimension_id) > ($2, $3, $4)
order by changed.window_start_ms, changed.dimension_set, changed.dimension_id
limit 500

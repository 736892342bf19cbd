select workspace, operation_type, provider, model, response_model, service_tier, processing, started_at_us,
       cast(http_status as bigint) as http_status,
       input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens,
       output_tokens, reasoning_tokens, input_audio_tokens, output_audio_tokens, input_image_tokens, output_image_tokens,
       web_searches, billable_units, metadata,
       cost_nano_usd, cost_status, price_key, price_version, reported_cost_nano_usd,
       catalogue_cost_nano_usd, repricing, billed_cost_nano_usd
from operations
where operation_id = $1

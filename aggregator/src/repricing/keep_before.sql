-- These operations as they are before re-pricing $1.
insert into repriced_operations (
    operation_id, repricing, cost_nano_usd, cost_status, price_model, price_version, price_key, input_cost_nano_usd,
    cache_read_cost_nano_usd, cache_write_cost_nano_usd, output_cost_nano_usd, unit_cost_nano_usd, cache_savings_nano_usd,
    catalogue_cost_nano_usd, billed_cost_nano_usd, earlier_repricing
)
select operation_id, $1, cost_nano_usd, cost_status, price_model, price_version, price_key, input_cost_nano_usd,
    cache_read_cost_nano_usd, cache_write_cost_nano_usd, output_cost_nano_usd, unit_cost_nano_usd, cache_savings_nano_usd,
    catalogue_cost_nano_usd, billed_cost_nano_usd, repricing
from operations
where operation_id in ({rows})

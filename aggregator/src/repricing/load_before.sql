-- What re-pricing $1 found in these operations.
select operation_id, cost_nano_usd, input_cost_nano_usd, cache_read_cost_nano_usd, cache_write_cost_nano_usd, output_cost_nano_usd,
    unit_cost_nano_usd, cache_savings_nano_usd, catalogue_cost_nano_usd, billed_cost_nano_usd, earlier_repricing as repricing,
    cost_status, price_model, price_key, price_version
from repriced_operations
where repricing = $1 and operation_id in ({rows})

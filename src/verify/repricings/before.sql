-- A page of what re-pricings found, in the order of operations and re-pricings, after one of them.
select operation_id, repricing, cost_nano_usd, cost_status, price_key, input_cost_nano_usd, cache_read_cost_nano_usd,
    cache_write_cost_nano_usd, output_cost_nano_usd, unit_cost_nano_usd, cache_savings_nano_usd, catalogue_cost_nano_usd,
    billed_cost_nano_usd, earlier_repricing
from repriced_operations
where (operation_id, repricing) > ($1, $2) and operation_id <= $3
order by operation_id, repricing
limit $4

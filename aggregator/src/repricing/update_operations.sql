update operations
set cost_nano_usd = revised.column2,
    input_cost_nano_usd = revised.column3,
    cache_read_cost_nano_usd = revised.column4,
    cache_write_cost_nano_usd = revised.column5,
    output_cost_nano_usd = revised.column6,
    unit_cost_nano_usd = revised.column7,
    cache_savings_nano_usd = revised.column8,
    catalogue_cost_nano_usd = revised.column9,
    billed_cost_nano_usd = revised.column10,
    repricing = revised.column11,
    cost_status = revised.column12,
    price_model = revised.column13,
    price_key = revised.column14,
    price_version = revised.column15
from (values {rows}) as revised
where operations.operation_id = revised.column1

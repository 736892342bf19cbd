insert into repricing_models (
    repricing, provider, model, changed, unpriced_before, unpriced_after, cost_before_nano_usd, cost_after_nano_usd
)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict (repricing, provider, model) do update set
    changed = repricing_models.changed + excluded.changed,
    unpriced_before = repricing_models.unpriced_before + excluded.unpriced_before,
    unpriced_after = repricing_models.unpriced_after + excluded.unpriced_after,
    cost_before_nano_usd = repricing_models.cost_before_nano_usd + excluded.cost_before_nano_usd,
    cost_after_nano_usd = repricing_models.cost_after_nano_usd + excluded.cost_after_nano_usd

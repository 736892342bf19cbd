-- Every re-pricing, and how many changes its models add up to.
select repricings.repricing, repricings.state, repricings.changed,
    (select cast(coalesce(sum(models.changed), 0) as bigint)
     from repricing_models models
     where models.repricing = repricings.repricing) as changed_of_models
from repricings
order by repricings.repricing

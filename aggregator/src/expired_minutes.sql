select
    expired.window_start_ms,
    expired.dimension_id,
    expired.published_revision,
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
from windows expired
join window_dimensions combination on combination.dimension_id = expired.dimension_id
where expired.generation = $1
    and expired.dimension_set = $2
    and expired.level = 0
    and expired.window_start_ms < $3
order by expired.window_start_ms, expired.dimension_id
limit 500

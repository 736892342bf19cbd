select
    replaced.generation,
    cast(replaced.dimension_set as bigint) as dimension_set,
    cast(replaced.level as bigint) as level,
    replaced.window_start_ms,
    replaced.dimension_id,
    -- A window that the new generation has too is published again by it.
    replaced.published_revision > 0 and not exists (
        select 1
        from windows present
        where present.generation = $1
            and present.dimension_set = replaced.dimension_set
            and present.level = replaced.level
            and present.window_start_ms = replaced.window_start_ms
            and present.dimension_id = replaced.dimension_id
    ) as is_gone,
    combination.workspace,
    combination.project,
    combination.team,
    combination.environment,
    combination.provider,
    combination.model,
    combination.operation_type,
    combination.agent_id,
    combination.action_id
from windows replaced
join window_dimensions combination on combination.dimension_id = replaced.dimension_id
where replaced.generation < $1
order by
    replaced.generation, replaced.dimension_set, replaced.level, replaced.window_start_ms, replaced.dimension_id
limit 500

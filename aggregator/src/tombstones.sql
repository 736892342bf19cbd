select
    cast(noted.dimension_set as bigint) as dimension_set,
    cast(noted.level as bigint) as level,
    noted.window_start_ms,
    noted.dimension_id,
    not exists (
        select 1
        from windows present
        where present.generation = (select value from settings where name = 'window_generation')
            and present.dimension_set = noted.dimension_set
            and present.level = noted.level
            and present.window_start_ms = noted.window_start_ms
            and present.dimension_id = noted.dimension_id
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
from window_tombstones noted
join window_dimensions combination on combination.dimension_id = noted.dimension_id
order by noted.dimension_set, noted.level, noted.window_start_ms, noted.dimension_id
limit 500

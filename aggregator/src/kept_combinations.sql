select hour.window_start_ms, combination.workspace, combination.key_hash
from windows hour
join window_dimensions combination on combination.dimension_id = hour.dimension_id
where hour.generation in ($1, $2)
    and hour.dimension_set = $3
    and hour.level = 2
    and hour.window_start_ms in ({rows})

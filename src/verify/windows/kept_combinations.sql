-- The combinations that have a window at one start.
select dimensions.key_hash
from windows
join window_dimensions dimensions
    on dimensions.dimension_id = windows.dimension_id and dimensions.dimension_set = windows.dimension_set
where windows.generation = $1 and windows.dimension_set = $2 and windows.level = $3 and windows.window_start_ms = $4

select present.window_start_ms
from windows present
where present.generation = $1
    and present.dimension_set = $2
    and present.level = $3
    and present.window_start_ms < $4
    and (present.window_start_ms, present.dimension_id) > ($5, $6)
limit 1

insert into window_tombstones (dimension_set, level, window_start_ms, dimension_id)
select other.dimension_set, other.level, other.window_start_ms, other.dimension_id
from windows other
where other.generation = $1
    and (other.dimension_set, other.level, other.window_start_ms, other.dimension_id) <= ($2, $3, $4, $5)
    -- A window that the current generation has too is published again by it.
    and not exists (
        select 1
        from windows present
        where present.generation = (select value from settings where name = 'window_generation')
            and present.dimension_set = other.dimension_set
            and present.level = other.level
            and present.window_start_ms = other.window_start_ms
            and present.dimension_id = other.dimension_id
    )
on conflict do nothing

-- A page of the windows of one generation, set and level, after a start and a combination.
select windows.window_start_ms, windows.dimension_id, dimensions.key_hash, dimensions.workspace,
       windows.fence, windows.revision, windows.published_revision,
       {sums}, windows.latency_sketch, windows.ttft_sketch
from windows
left join window_dimensions dimensions
    on dimensions.dimension_id = windows.dimension_id and dimensions.dimension_set = windows.dimension_set
where windows.generation = $1 and windows.dimension_set = $2 and windows.level = $3
    and (windows.window_start_ms, windows.dimension_id) > ($4, $5) and windows.window_start_ms < $6
order by windows.window_start_ms, windows.dimension_id
limit $7

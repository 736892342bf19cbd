insert into windows (
    generation, dimension_set, level, window_start_ms, dimension_id, fence, revision, published_revision,
    latency_sketch, ttft_sketch, {sums}
)
select 1, $1, $2, $3, dimension_id, 5, 2, 1, $5, $6, {binds}
from window_dimensions where key_hash = $4

-- Sketches at the end of a window. SQLite keeps the first half kilobyte of a row where its key is and the rest on pages of their own:
-- sums behind the sketches, as later steps added them, cost a look at another page for each row of each question. The new table
-- is written as a whole, about a minute for four million windows.
create table ordered_windows (
    generation integer not null,
    dimension_set integer not null,
    level integer not null,
    window_start_ms integer not null,
    dimension_id integer not null,
    fence integer not null,
    revision integer not null,
    published_revision integer not null,
    is_published integer not null generated always as (revision = published_revision) stored,
    operations integer not null,
    failures integer not null,
    unpriced integer not null,
    reported integer not null,
    input_tokens integer not null,
    cache_read_tokens integer not null,
    cache_write_tokens integer not null,
    cache_write_1h_tokens integer not null,
    output_tokens integer not null,
    reasoning_tokens integer not null,
    input_audio_tokens integer not null,
    output_audio_tokens integer not null,
    input_image_tokens integer not null,
    output_image_tokens integer not null,
    web_searches integer not null,
    cost_nano_usd integer not null,
    reported_cost_nano_usd integer not null,
    latency_count integer not null,
    latency_sum_us integer not null,
    ttft_count integer not null,
    ttft_sum_us integer not null,
    input_cost_nano_usd integer not null default 0,
    cache_read_cost_nano_usd integer not null default 0,
    cache_write_cost_nano_usd integer not null default 0,
    output_cost_nano_usd integer not null default 0,
    unit_cost_nano_usd integer not null default 0,
    cache_savings_nano_usd integer not null default 0,
    compared integer not null default 0,
    reported_difference_nano_usd integer not null default 0,
    reported_as_cost_nano_usd integer not null default 0,
    latency_sketch blob not null,
    ttft_sketch blob not null,
    primary key (generation, dimension_set, level, window_start_ms, dimension_id)
) without rowid;

insert into ordered_windows (
    generation, dimension_set, level, window_start_ms, dimension_id, fence, revision, published_revision, operations,
    failures, unpriced, reported, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens,
    output_tokens, reasoning_tokens, input_audio_tokens, output_audio_tokens, input_image_tokens, output_image_tokens,
    web_searches, cost_nano_usd, reported_cost_nano_usd, latency_count, latency_sum_us, ttft_count, ttft_sum_us,
    input_cost_nano_usd, cache_read_cost_nano_usd, cache_write_cost_nano_usd, output_cost_nano_usd, unit_cost_nano_usd,
    cache_savings_nano_usd, compared, reported_difference_nano_usd, reported_as_cost_nano_usd, latency_sketch,
    ttft_sketch
)
select
    generation, dimension_set, level, window_start_ms, dimension_id, fence, revision, published_revision, operations,
    failures, unpriced, reported, input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens,
    output_tokens, reasoning_tokens, input_audio_tokens, output_audio_tokens, input_image_tokens, output_image_tokens,
    web_searches, cost_nano_usd, reported_cost_nano_usd, latency_count, latency_sum_us, ttft_count, ttft_sum_us,
    input_cost_nano_usd, cache_read_cost_nano_usd, cache_write_cost_nano_usd, output_cost_nano_usd, unit_cost_nano_usd,
    cache_savings_nano_usd, compared, reported_difference_nano_usd, reported_as_cost_nano_usd, latency_sketch,
    ttft_sketch
from windows
order by generation, dimension_set, level, window_start_ms, dimension_id;

drop table windows;
alter table ordered_windows rename to windows;
create index windows_outbox on windows (generation, level, window_start_ms) where not is_published;

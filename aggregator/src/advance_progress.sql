insert into window_progress (generation, file_number, before_ms)
values ($1, $2, $3)
-- Whoever moved on in between is noticed: no row changes, also where the first portion is there already ($4 is null).
on conflict (generation, file_number) do update set before_ms = excluded.before_ms
where window_progress.before_ms = $4

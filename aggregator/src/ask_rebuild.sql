-- A number that no generation has or had, also none that was called off and is not wholly deleted yet.
update settings
set value = 1 + (
    select max(used.generation)
    from (
        select present.value as generation from settings present where present.name = 'window_generation'
        union all
        select max(generation) as generation from windowed_files
        union all
        select max(generation) as generation from window_progress
        union all
        select max(generation) as generation from windows
    ) as used
)
where name = 'window_rebuild' and value = 0

-- Where the asker's database has the clock ($1), unless a rebuild is under way.
update settings
set value = (
    select case when floor.value < $1 then floor.value else $1 end
    from settings floor
    where floor.name = 'window_minute_floor_ms'
)
where name = 'window_rebuild_floor_ms'
    and exists (select 1 from settings asked where asked.name = 'window_rebuild' and asked.value = 0)

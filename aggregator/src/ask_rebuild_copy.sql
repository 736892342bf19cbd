-- Where the retention floor is, which then stands still, unless a rebuild is under way.
update settings
set value = (select floor.value from settings floor where floor.name = 'retention_floor_ms')
where name = 'window_copy_before_ms'
    and exists (select 1 from settings asked where asked.name = 'window_rebuild' and asked.value = 0)

-- Never backwards, and never while a rebuild is under way.
update settings
set value = $1
where name = 'retention_floor_ms'
    and value < $1
    and exists (select 1 from settings asked where asked.name = 'window_rebuild' and asked.value = 0)

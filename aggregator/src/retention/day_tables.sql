-- Postgres' tables of days, in the order of days; $1 is the comment of those that are being dropped.
select
    day.relname::text as name,
    place.inhrelid is not null as is_attached,
    coalesce(place.inhdetachpending, false) as is_leaving,
    coalesce(obj_description(day.oid, 'pg_class') = $1, false) as is_marked
from pg_class parent
join pg_class day on day.relnamespace = parent.relnamespace
left join pg_inherits place on place.inhrelid = day.oid and place.inhparent = parent.oid
where parent.oid = to_regclass('operations')
    and day.relkind = 'r'
    and day.relname ~ '^operations_[0-9]{8}$'
order by day.relname

-- Windows whose set or level has no meaning.
select cast(dimension_set as bigint) as dimension_set, cast(level as bigint) as level, count(*) as windows,
       count(*) over () as total
from windows
where generation = $1 and (dimension_set not between 0 and 6 or level not between 0 and 3)
group by dimension_set, level
order by dimension_set, level
limit 100

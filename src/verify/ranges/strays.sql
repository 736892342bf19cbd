-- Ranges and dead letters of partitions that have no checkpoint.
select source, stream_id, partition, strays, count(*) over () as total
from (
    select 'applied_ranges' as source, strays.stream_id, cast(strays.partition as bigint) as partition, count(*) as strays
    from applied_ranges strays
    left join stream_partitions known on known.stream_id = strays.stream_id and known.partition = strays.partition
    where known.stream_id is null
    group by strays.stream_id, strays.partition
    union all
    select 'dead_letters' as source, strays.stream_id, cast(strays.partition as bigint) as partition, count(*) as strays
    from dead_letters strays
    left join stream_partitions known on known.stream_id = strays.stream_id and known.partition = strays.partition
    where known.stream_id is null
    group by strays.stream_id, strays.partition
) as counted
order by source, stream_id, partition
limit 100

-- windowed_offsets beyond the checkpoint, or without one. $1 belongs to every promise and changes nothing here.
select windowed.stream_id, cast(windowed.partition as bigint) as partition, windowed.next_offset,
       partitions.next_offset as checkpoint, count(*) over () as total
from windowed_offsets windowed
left join stream_partitions partitions
    on partitions.stream_id = windowed.stream_id and partitions.partition = windowed.partition
where $1 is not null and (partitions.next_offset is null or windowed.next_offset > partitions.next_offset)
order by windowed.stream_id, windowed.partition
limit 1000

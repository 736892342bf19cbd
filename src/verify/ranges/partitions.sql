-- Every partition with its checkpoint and the name of its topic.
select partitions.stream_id, cast(partitions.partition as bigint) as partition, streams.topic,
       partitions.start_offset, partitions.next_offset
from stream_partitions partitions
join streams on streams.stream_id = partitions.stream_id
order by partitions.stream_id, partitions.partition

-- A page of a partition's dead letters.
select source_offset from dead_letters
where stream_id = $1 and partition = $2 and source_offset > $3
order by source_offset
limit $4

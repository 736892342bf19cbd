-- A topic never loses partitions. Several ingestors say how many there are, and no row is written when nothing is new.
update streams set partitions = $2 where stream_id = $1 and partitions < $2

select letter.*, stream.topic
from dead_letters as letter
join streams as stream on stream.stream_id = letter.stream_id
where letter.published_at_ms is null
order by letter.stored_at_ms
limit 100

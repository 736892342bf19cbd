insert into streams (cluster_id, topic, topic_id, first_seen_ms) values ($1, $2, $3, $4)
on conflict (cluster_id, topic, topic_id) do nothing

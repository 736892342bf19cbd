-- Live files of both kinds by the day on which they were listed.
select committed_at_ms / 86400000 as day, count(*) as files, cast(sum(rows) as bigint) as rows, cast(sum(bytes) as bigint) as bytes
from lake_files
where removed_at_ms is null and committed_at_ms >= $1
group by committed_at_ms / 86400000
order by day

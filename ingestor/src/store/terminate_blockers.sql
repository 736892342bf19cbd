select pg_terminate_backend(blocker) as ended
from unnest(pg_blocking_pids($1::int)) as blocker
join pg_stat_activity on pid = blocker
where application_name = 'opstream' and blocker <> pg_backend_pid()

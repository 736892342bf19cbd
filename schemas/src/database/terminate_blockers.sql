-- Sessions of opstream that block $1 and have waited for their client for a while, or for the rest of what it began to send. One that is
-- at work, or itself waits for a lock, gets on.
select pg_terminate_backend(blocker) as ended
from unnest(pg_blocking_pids($1::int)) as blocker
join pg_stat_activity on pid = blocker
where application_name = 'opstream' and blocker <> pg_backend_pid() and wait_event_type = 'Client'
  and state_change < clock_timestamp() - interval '10 seconds'

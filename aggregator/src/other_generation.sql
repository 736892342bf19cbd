-- One generation that is neither the current one ($1) nor the one being built ($2): numbers only rise, so one that was called off
-- lies between. What is left of it last are its marks of files.
select found.generation
from (
    select min(generation) as generation from windows where generation < $1
    union all
    select min(generation) as generation from windows where generation > $1 and generation < $2
    union all
    select min(generation) as generation from windowed_files where generation < $1
    union all
    select min(generation) as generation from windowed_files where generation > $1 and generation < $2
    union all
    select min(generation) as generation from window_progress where generation < $1
    union all
    select min(generation) as generation from window_progress where generation > $1 and generation < $2
) as found
where found.generation is not null
limit 1

update windows
set published_revision = 0
from (values {rows}) as sent
where windows.generation = $1
    and windows.dimension_set = sent.column1
    and windows.level = sent.column2
    and windows.window_start_ms = sent.column3
    and windows.dimension_id = sent.column4

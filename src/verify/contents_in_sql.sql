-- The first contents with ids between $1 and $2; each may have megabytes.
select operation_id, system_prompt, input_messages, output_messages, tool_definitions
from operation_contents
where operation_id between $1 and $2
order by operation_id
limit 16

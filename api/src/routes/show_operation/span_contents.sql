-- What came as log records of a span, in the order of its events, up to so many characters.
select system_prompt, input_messages, output_messages, tool_definitions
from (
    select recorded_at_us, sequence, content_id, system_prompt, input_messages, output_messages, tool_definitions,
        sum(coalesce(length(system_prompt), 0) + coalesce(length(input_messages), 0) + coalesce(length(output_messages), 0)
            + coalesce(length(tool_definitions), 0)) over (order by recorded_at_us, sequence, content_id) as characters
    from span_contents
    where trace_id = $1 and span_id = $2 and workspace = $3
) as events
where characters <= $4
order by recorded_at_us, sequence, content_id
limit 1000

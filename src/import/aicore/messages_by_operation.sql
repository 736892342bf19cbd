-- One row per message with its metric and its session; texts and numbers are cast because SQLite stores what it is given.
select
    cast(message.operation_id as text) as operation_id,
    metric.operation_id is not null as has_metric,
    cast(message.session_id as text) as session_id,
    cast(session.workspace as text) as workspace,
    cast(session.agent_id as text) as agent_id,
    cast(message.action_id as text) as action_id,
    cast(message.timestamp as text) as timestamp,
    cast(metric.operation_type as text) as operation_type,
    cast(metric.provider as text) as provider,
    cast(metric.model as text) as model,
    cast(message.system_prompt as text) as system_prompt,
    cast(message.user_prompt as text) as user_prompt,
    cast(message.history_messages as text) as history_messages,
    cast(message.response as text) as response,
    cast(metric.temperature as real) as temperature,
    cast(metric.max_tokens as integer) as max_tokens,
    cast(metric.input_tokens as integer) as input_tokens,
    cast(metric.output_tokens as integer) as output_tokens,
    cast(metric.cached_tokens as integer) as cached_tokens,
    cast(metric.cost as real) as cost,
    cast(metric.latency_ms as real) as latency_ms,
    cast(message.error_message as text) as error_message,
    cast(message.completion_args as text) as completion_args,
    cast(metric.extras as text) as extras
from "Message" as message
left join "Metric" as metric on metric.operation_id = message.operation_id
left join "Session" as session on session.session_id = message.session_id
order by message.operation_id

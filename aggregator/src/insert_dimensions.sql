insert into window_dimensions (
    dimension_set, key_hash,
    workspace, project, team, environment, provider, model, operation_type, agent_id, action_id
)
values {rows}
on conflict (key_hash) do nothing

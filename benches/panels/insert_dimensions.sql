insert into window_dimensions (
    dimension_set, key_hash, workspace, project, team, environment, provider, model, operation_type, agent_id, action_id
) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
returning dimension_id

-- A page of the combinations.
select dimension_id, cast(dimension_set as bigint) as dimension_set, key_hash, workspace, project, team, environment,
       provider, model, operation_type, agent_id, action_id
from window_dimensions
where dimension_id > $1
order by dimension_id
limit $2

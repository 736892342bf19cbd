-- Views and dashboards of the page that somebody keeps under a name.

-- definition: JSON, checked by the api. version counts its changes; a change names the one that it is of.
create table saved_views (
    view_id text not null primary key,
    kind text not null,
    name text not null,
    description text not null,
    definition text not null,
    version bigint not null,
    created_at_ms bigint not null,
    updated_at_ms bigint not null,
    unique (kind, name)
);

-- Alert rules, the alerts that came of them, and what webhooks were told.

-- definition: the rule as JSON in its usual form, docs/alerts.md. version counts its changes.
create table alert_rules (
    rule_id bigint generated always as identity primary key,
    name text not null unique,
    workspace text,
    definition text not null,
    version bigint not null,
    is_enabled boolean not null,
    problem text,
    created_at_ms bigint not null,
    updated_at_ms bigint not null
);

-- The primary key is what makes a crossing happen once. revision and published_revision are the outbox of the topic.
create table alerts (
    rule_id bigint not null,
    rule_version bigint not null,
    period_start_ms bigint not null,
    threshold bigint not null,
    combination_hash bytea not null,
    alert_id text not null unique,
    rule_name text not null,
    kind text not null,
    workspace text,
    dimensions text not null,
    period_end_ms bigint not null,
    value bigint not null,
    limit_value bigint not null,
    unit text not null,
    operations bigint not null,
    raised_at_ms bigint not null,
    resolved_at_ms bigint,
    resolved_because text,
    revision bigint not null,
    published_revision bigint not null,
    primary key (rule_id, rule_version, period_start_ms, threshold, combination_hash)
);
create index alerts_by_time on alerts (raised_at_ms, alert_id);
create index alerts_outbox on alerts (raised_at_ms, alert_id) where published_revision < revision;
create index alerts_open on alerts (rule_id) where resolved_at_ms is null;

-- One row for each revision of an alert and each webhook that is told of it.
create table webhook_deliveries (
    alert_id text not null references alerts (alert_id),
    target text not null,
    revision bigint not null,
    attempts bigint not null,
    created_at_ms bigint not null,
    next_attempt_at_ms bigint not null,
    delivered_at_ms bigint,
    given_up_at_ms bigint,
    last_error text,
    primary key (alert_id, target, revision)
);
create index webhook_deliveries_due on webhook_deliveries (next_attempt_at_ms) where delivered_at_ms is null and given_up_at_ms is null;

-- Alert rules, the alerts that came of them, and what webhooks were told.

-- definition: the rule as JSON in its usual form, docs/alerts.md. version counts its changes.
create table alert_rules (
    rule_id integer primary key autoincrement,
    name text not null unique,
    workspace text,
    definition text not null,
    version integer not null,
    is_enabled integer not null,
    problem text,
    created_at_ms integer not null,
    updated_at_ms integer not null
);

-- The primary key is what makes a crossing happen once. revision and published_revision are the outbox of the topic.
create table alerts (
    rule_id integer not null,
    rule_version integer not null,
    period_start_ms integer not null,
    threshold integer not null,
    combination_hash blob not null,
    alert_id text not null unique,
    rule_name text not null,
    kind text not null,
    workspace text,
    dimensions text not null,
    period_end_ms integer not null,
    value integer not null,
    limit_value integer not null,
    unit text not null,
    operations integer not null,
    raised_at_ms integer not null,
    resolved_at_ms integer,
    resolved_because text,
    revision integer not null,
    published_revision integer not null,
    primary key (rule_id, rule_version, period_start_ms, threshold, combination_hash)
);
create index alerts_by_time on alerts (raised_at_ms, alert_id);
create index alerts_outbox on alerts (raised_at_ms, alert_id) where published_revision < revision;
create index alerts_open on alerts (rule_id) where resolved_at_ms is null;

-- One row for each revision of an alert and each webhook that is told of it.
create table webhook_deliveries (
    alert_id text not null references alerts (alert_id),
    target text not null,
    revision integer not null,
    attempts integer not null,
    created_at_ms integer not null,
    next_attempt_at_ms integer not null,
    delivered_at_ms integer,
    given_up_at_ms integer,
    last_error text,
    primary key (alert_id, target, revision)
);
create index webhook_deliveries_due on webhook_deliveries (next_attempt_at_ms) where delivered_at_ms is null and given_up_at_ms is null;

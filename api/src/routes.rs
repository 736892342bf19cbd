//! One file per resource: its handler, its request and answer, and its SQL.

pub(crate) mod alert_rules;
pub(crate) mod alerts;
pub(crate) mod breakdown;
pub(crate) mod dead_letters;
pub(crate) mod health;
pub(crate) mod list_operations;
pub(crate) mod live;
pub(crate) mod lookup;
pub(crate) mod openapi;
mod otlp_call;
pub(crate) mod page;
pub(crate) mod percentiles;
pub(crate) mod pipeline;
pub(crate) mod post_logs;
pub(crate) mod post_metrics;
pub(crate) mod post_operations;
pub(crate) mod post_traces;
pub(crate) mod progress;
pub(crate) mod prometheus;
pub(crate) mod query;
pub(crate) mod registry;
pub(crate) mod series;
pub(crate) mod show_operation;
pub(crate) mod totals;
pub(crate) mod views;

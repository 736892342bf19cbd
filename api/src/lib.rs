//! The api of opstream: the front door for operations, answers about them, and the first page.
//!
//! In reading order: [`config`], [`mod@run`] and the [`router`](mod@router), which shows every route on one screen; what
//! every request passes first ([`guard`]); how posted operations become records ([`front_door`]); and one file per
//! resource in [`routes`], each with its handler, its request and answer, and its SQL; and the processes that read the lake's
//! files ([`scan`]). The api reads the database and writes to the topic; of rows its handlers change those of alert rules, saved
//! views and dead letters alone. Processes without an api have its routes for health and metrics alone
//! ([`serve_health`]).

pub mod config;
mod connections;
mod content;
mod content_topic;
pub mod dead_letters;
mod error;
#[cfg(test)]
mod fixture;
mod front_door;
mod guard;
mod health;
mod live;
mod metrics;
mod otlp;
mod packing;
mod query;
mod rate;
mod router;
mod routes;
mod run;
mod scan;
mod secret;
mod state;
mod stored_operation;
mod views;

pub use config::{ApiConfig, BrokerAddress, ContentCapture, HealthConfig, Listeners, RequestLimits, RoleWatch};
pub use rate::{Network, NetworkError, RateLimits};
pub use run::{run, serve_health};
pub use scan::{ScanLimits, serve_scan};
pub use secret::{Secret, SecretError};

//! Aggregator of opstream: committed files to windows.
//!
//! In: files of operations that the manifest lists and no row of `windowed_files` names yet. Out: rows of `windows`, and their
//! values on the topic `llm.windows`. In reading order: the configuration ([`config`]), the loops ([`mod@run`]), who may
//! write (`lease`), one turn (`windower`): which files (`offsets`, `pending`), the way of a batch (`add_files`), what is in a file
//! (`file_sums`), which windows that changes (`kept`, `changes`, `stored`), and the transaction (`commit`); then publication
//! (`outbox`, `publish`, `bury`, `topic`), which windows are deleted (`expire`), rebuilding (`rebuild`, `rebuild_copy`), and files
//! that are lost (`give_up`). Rules watch the windows ([`alerts`]). Beside all that small files become large ones (`compaction`), operations that are
//! too old are dropped ([`retention`]), costs are computed again ([`repricing`]), and what is no longer live is deleted (`removed_files`).
//!
//! The law: the rows of `windowed_files`, the changes of windows and the check of the lease's fence are one transaction, so
//! that every operation of every live file is in the windows exactly once, whoever crashes when. Windows are made from the
//! operations' own time; the wall clock decides only what is closed, published and expired.

mod add_files;
pub mod alerts;
mod bury;
mod changes;
mod commit;
mod compaction;
pub mod config;
mod dimension_ids;
mod expire;
mod failures;
mod file_sums;
mod give_up;
mod kept;
mod lease;
mod metrics;
mod offsets;
mod outbox;
mod pending;
mod publish;
mod rebuild;
mod rebuild_copy;
mod removed_files;
pub mod repricing;
pub mod retention;
mod rewriting;
mod rows_statement;
pub mod run;
mod settings;
mod stored;
mod tenure;
mod topic;
mod windower;
mod write_budget;

pub use config::{AggregatorConfig, AlertConfig, Compaction, LeaseStart};
pub use give_up::{GiveUpError, GivenUp, give_up_file};
pub use rebuild::{RebuildReport, abandon_rebuild, rebuild};
pub use removed_files::RemovedFiles;
pub use retention::KeepDays;
pub use run::run;

#[cfg(test)]
mod tests;

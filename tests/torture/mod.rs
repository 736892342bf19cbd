//! Torture: a pipeline under load is disturbed again and again, and at the end everything is compared with what was acknowledged.
//!
//! In reading order: [`operations`] makes operations that follow from their number, [`load`] hands them over and keeps the
//! [`ledger`], [`faults`] says what is done to the pipeline, [`stage`] has what that needs, [`rounds`] does it, [`recovery`] measures how long the pipeline takes
//! to be whole again, and [`oracle`] judges by plain SQL, Polars and the topics, without the pipeline's own code. [`run`] is all of it.

pub(crate) mod faults;
pub(crate) mod ledger;
pub(crate) mod load;
pub(crate) mod operations;
pub(crate) mod oracle;
pub(crate) mod recovery;
pub(crate) mod rounds;
pub(crate) mod run;
pub(crate) mod stage;

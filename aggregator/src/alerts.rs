//! Alerts: windows to crossings of the rules' limits, each of them once.
//!
//! In: the tables of windows and rules. Out: rows of `alerts`, their values on the topic `llm.alerts`, and calls of webhooks. In reading
//! order: which periods a rule is about ([`periods`]), the one question to windows ([`question`]), what a rule says of the answer
//! ([`seen`], pure, with [`baseline`] and [`percentile`]), which alerts are raised and which are over ([`judge`], pure), of how many at most
//! ([`ceiling`]), the transaction ([`write`](mod@write)), and all of that in turn ([`evaluate`]); then publication ([`publish`](mod@publish)), [`webhooks`] and the loops ([`run`](mod@run)).
//!
//! A crossing is a row whose primary key is the rule, its version, the period, the threshold and the combination of values, inserted
//! under the lease's fence together with what webhooks are to be told. So it happens once, whoever crashes when and however often it is
//! looked at; what is told of it is told at least once, with the same id.

mod baseline;
mod ceiling;
mod evaluate;
mod judge;
mod percentile;
mod periods;
mod publish;
mod question;
mod run;
mod seen;
pub mod webhooks;
mod write;

pub use evaluate::look;
pub use periods::Period;
pub(crate) use run::{AlertTasks, Told, Wakes};
pub use seen::Seen;

#[cfg(test)]
mod tests;

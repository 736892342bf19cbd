//! The price catalogue: what a provider charges for a model's tokens at a moment, and what one operation costs by it.
//!
//! In: price files (`schemas/prices/*.toml`, compiled in) and, per operation, provider, model, start, token counts and
//! terms. Out: nano-dollars with a status, or no cost with the reason. Nothing here reads files, clocks or networks.
//!
//! # What is priced
//! An operation is priced by the **standard dated rates**: the rates of the interval that contains its start. It is
//! `unpriced`, with no cost rather than a wrong one, whenever anything else would have to be known or applied:
//!
//! - its provider or model is not in the catalogue;
//! - its input or output count is unknown (an unknown output does not matter to a model that has no output price), or
//!   its counts contradict each other;
//! - its prompt reaches a long-context tier of the interval;
//! - the interval has prices by time of day;
//! - it ran in batch, or at another service tier than the standard one;
//! - it used web searches or other units that are billed apart from tokens;
//! - it used audio or image tokens, and the model has prices of its own for them;
//! - it used a class of tokens that neither has a price nor belongs to a class that has one;
//! - it would cost more than [`crate::validate::MAX_COST_NANO_USD`], which no real operation does.
//!
//! The files already carry tiers, schedules, variants and units; they are validated and held, not applied.
//!
//! A start outside every interval of the model is `no_price_at_time`. A model whose prices are an explicit 0 is `free`
//! at cost 0, and so is an operation that is never billed by tokens ([`bills_tokens`]) or that the provider refused
//! before it ran ([`was_refused`]). So `unpriced` counts what is really missing.
//!
//! # Arithmetic
//! Input not read from or written to a cache is billed at the input price; cache reads and writes at their own prices,
//! else at the input price; reasoning is part of the output unless it has its own price. Products and their sum are
//! exact, in pico-dollars and 128 bits, and rounded half to even once.

mod catalogue;
mod embedded;
mod entry;
mod file;
mod load;
mod names;
mod operation_cost;
mod place;
mod rates;
mod spans;
mod terms;

#[cfg(test)]
mod tests;

pub use catalogue::{Catalogue, PriceKey};
pub use entry::{Condition, DailyWindow, Interval, Model, Schedule, Tier, UnitKind, Variant};
pub use operation_cost::{Charge, CostStatus, Priced, Usage};
pub use place::{CatalogueError, Problem};
pub use rates::{Rates, TokenClass};
pub use terms::{Terms, bills_tokens, is_standard_service, was_refused};

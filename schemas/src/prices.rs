//! The price catalogue: what a provider charges for a model at a moment, and what one operation costs by it.
//!
//! In: price files (`schemas/prices/*.toml`, compiled in, and others laid over them) and, per operation, provider, model,
//! start, counts and terms. Out: nano-dollars with a status, or no cost with the reason. Nothing here reads files, clocks or
//! networks.
//!
//! # Which prices apply
//! In this order; a class that the later prices do not name keeps the earlier ones':
//!
//! 1. the **interval** that contains the operation's start, its [`Card`] of rates;
//! 2. its **tier**, by the whole prompt, cached tokens included; it holds for the whole request, output included;
//! 3. the first **schedule** that contains the start on the provider's clock, with its tier;
//! 4. the **variant** with a card of its own, by the operation's terms, with its tier;
//! 5. every variant that is a **multiplier**, on the classes that it applies to.
//!
//! Then each class of tokens is billed at its own rate, else at its parent's ([`TokenClass::parent`]): input is what no
//! cache held and no other class took, output what is neither reasoning nor media with a rate of its own. Units are billed
//! beside the tokens, and no variant changes their price.
//!
//! # What has no cost
//! [`Reason`] lists it. An operation is `unpriced`, with no cost rather than a wrong one, when the model, a count that
//! matters, a term or a unit is not known, or when two facts about it cannot both be priced. A start outside every interval
//! of the model is `no_price_at_time`. A model whose prices are an explicit 0 is `free` at cost 0, and so is an operation
//! that is never billed by tokens ([`bills_tokens`]) or that the provider refused before it ran ([`was_refused`]). So
//! `unpriced` counts what is really missing.
//!
//! # Which cost counts
//! The catalogue's, unless a [`CostPolicy`] lets the cost count that the provider or the application reported: then the status is
//! `reported`. What the catalogue says of an operation whose cost was reported is kept, whichever counts.
//!
//! # Arithmetic
//! Products and their sum are exact, in 128 bits ([`crate::money::ExactUsd`]), and rounded half to even once.
//!
//! # Example
//! ```
//! use opstream_schemas::prices::{Catalogue, Charge};
//! use opstream_schemas::{Operation, UtcMicros};
//!
//! let operation = Operation {
//!     started_at: UtcMicros::parse_rfc3339("2026-11-23T08:00:00Z")?,
//!     input_tokens: Some(200_001),
//!     output_tokens: Some(10_000),
//!     ..Operation::default()
//! };
//! let catalogue = Catalogue::embedded();
//! let key = catalogue.find_billed("gcp.gemini", Some("gemini-2.5-pro"), None);
//! let explanation = catalogue.explain(key, &Charge::from(&operation));
//! assert_eq!(explanation.priced.cost.unwrap().to_string(), "0.6500025");
//! assert_eq!(explanation.priced.used.unwrap().to_string(), "gemini-2.5-pro above-200000");
//! let [input, output] = explanation.lines[..] else { panic!() };
//! assert_eq!((input.rate.to_string(), input.amount.to_string()), ("2.5".to_owned(), "0.5000025".to_owned()));
//! assert_eq!(output.amount.to_string(), "0.15");
//! # Ok::<(), opstream_schemas::time::TimeError>(())
//! ```

mod bill;
mod cards;
mod catalogue;
mod cost_policy;
mod embedded;
mod entry;
mod explanation;
mod file;
mod hours;
mod load;
mod names;
mod operation_cost;
mod parts;
mod place;
mod rates;
mod schedule;
mod spans;
mod terms;
mod units;
mod usage;

#[cfg(test)]
mod tests;

pub use catalogue::{Catalogue, PriceKey};
pub use cost_policy::{CostPolicy, CountedCost};
pub use entry::{Card, Condition, Effect, Interval, Model, Span, Tier, Variant};
pub use explanation::{Explanation, Item, Line, PriceUsed, Reason};
pub use operation_cost::{Charge, CostStatus, Priced};
pub use parts::CostParts;
pub use place::{CatalogueError, Problem};
pub use rates::{Rates, TokenClass};
pub use schedule::{DailyWindow, Schedule};
pub use terms::{PriceTerms, Property, Terms, bills_tokens, was_refused};
pub use units::{REQUEST, UnitPrices, WEB_SEARCH};
pub use usage::Usage;

//! Local days, weeks and months: where they begin in the time zones of the IANA database, which is compiled in. Pure.
//!
//! The api cuts ranges by them and alert rules have periods of them. Offsets of all zones since 2015 are made of quarter-hours, so that
//! each is exactly some kept windows.

mod resolution;
mod zone;

pub use resolution::Resolution;
pub use zone::{Zone, days_later, months_later};

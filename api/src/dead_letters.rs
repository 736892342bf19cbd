//! Dead letters: records that could not become operations, for whoever looks at them or sends them again, the api or the command.
//!
//! [`Place`] is the name of a letter, [`Letter`] the letter with its record, and [`ValueView`] what its record says, content withheld
//! unless it is asked for, with what [`Writers`] learns of other writers' schemas. [`Conditions`] choose letters, [`read_page`] lists them, and
//! [`redrive`] sends them to the operations topic again. It writes no row but the mark of what the broker has acknowledged.

mod conditions;
mod letter;
mod page;
mod place;
pub mod redrive;
#[cfg(test)]
pub(crate) mod test_rows;
mod value_view;
mod withheld;
mod writers;

pub use conditions::{Conditions, Cursor, parse_cursor};
pub use letter::Letter;
pub use page::{Entry, Page, read_page};
pub use place::{Place, PlaceError};
pub use value_view::{ContentChoice, Format, ValueView};
pub use withheld::{CONTENT, Withheld};
pub use writers::Writers;

/// Header that names the place of the letter; a record that was sent again several times has it once for each, oldest first.
pub const REDRIVEN_FROM: &str = "opstream.redriven_from";

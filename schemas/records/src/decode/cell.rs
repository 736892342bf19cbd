//! One value of a record in eight bytes: the number itself, or where its text lies.

use std::ops::Range;

use super::datum::{Datum, Fault, ID_LENGTH};
use super::layout::{Field, Kind};

/// The value of a field; none is null.
pub(super) type Cell = Option<u64>;

/// Reads the next value of a record of `length` bytes, whatever the encoding of its text.
#[inline]
pub(super) fn scan(field: &Field, datum: &mut Datum<'_>, length: usize) -> Result<Cell, Fault> {
    if field.nullable && !datum.is_present()? {
        return Ok(None);
    }
    let place = |datum: &Datum<'_>| length - datum.left();
    let start = place(datum);
    let bits = match field.kind {
        Kind::Int => i64::from(datum.int()?).cast_unsigned(),
        Kind::Long => datum.long()?.cast_unsigned(),
        Kind::Double => datum.double()?.to_bits(),
        Kind::Boolean => u64::from(datum.boolean()?),
        Kind::Id => {
            datum.bytes(ID_LENGTH)?;
            from_span(start, place(datum))
        }
        Kind::Text => {
            let bytes = datum.text()?.len();
            from_span(place(datum) - bytes, place(datum))
        }
        Kind::TextList => {
            datum.each_item(|datum| datum.text().map(drop))?;
            from_span(start, place(datum))
        }
        Kind::TextMap => {
            datum.each_item(|datum| datum.text().and_then(|_| datum.text()).map(drop))?;
            from_span(start, place(datum))
        }
    };
    Ok(Some(bits))
}

/// Half for each end: a record of Kafka has less than 2 GiB.
pub(super) const fn from_span(start: usize, end: usize) -> u64 {
    (start as u64) << 32 | end as u64
}

/// Where the value of an id, a text, a list or a map lies.
#[inline]
pub(super) fn span(bits: u64) -> Range<usize> {
    let place = |bits: u64| usize::try_from(bits).expect("an address has 32 bits");
    place(bits >> 32)..place(bits & u64::from(u32::MAX))
}

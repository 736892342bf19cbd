//! Avro's rules of resolution: how values of another writer's schema become values of our fields. Checked once for each schema;
//! what only a record can show, such as a null where we have none, is found when it is read.

use super::cell::{Cell, from_span};
use super::datum::{Datum, Fault, ID_LENGTH};
use super::layout::{Field, Kind};
use super::shape::Shape;

/// Whether values of the writer's type can be values of ours.
pub(super) fn fits(writer: &Shape, reader: &Shape) -> bool {
    match (writer, reader) {
        (Shape::Union(branches), reader) => branches.iter().any(|branch| fits(branch, reader)),
        (writer, Shape::Union(branches)) => branches.iter().any(|branch| fits(writer, branch)),
        // Avro leaves the unit out of account, and a time would be wrong by a factor of a thousand.
        (Shape::Long(Some(writer)), Shape::Long(Some(reader))) => writer == reader,
        (Shape::Int | Shape::Long(_), Shape::Long(_))
        | (Shape::Int | Shape::Long(_) | Shape::Float | Shape::Double, Shape::Double) => true,
        (Shape::List(writer), Shape::List(reader)) | (Shape::Map(writer), Shape::Map(reader)) => writer == reader,
        (writer, reader) => writer == reader,
    }
}

/// Reads a value that the writer wrote so and we have in `field`, out of a record of `length` bytes.
pub(super) fn read(shape: &Shape, field: &Field, datum: &mut Datum<'_>, length: usize) -> Result<Cell, Fault> {
    let place = |datum: &Datum<'_>| length - datum.left();
    let start = place(datum);
    let bits = match (shape, field.kind) {
        (Shape::Union(branches), _) => return read(chosen(branches, datum)?, field, datum, length),
        (Shape::Null, _) if field.nullable => return Ok(None),
        (Shape::Boolean, Kind::Boolean) => u64::from(datum.boolean()?),
        (Shape::Int, Kind::Int | Kind::Long) => i64::from(datum.int()?).cast_unsigned(),
        (Shape::Long(_), Kind::Long) => datum.long()?.cast_unsigned(),
        (Shape::Int | Shape::Long(_), Kind::Double) => number(datum.long()?).to_bits(),
        (Shape::Float, Kind::Double) => f64::from(datum.float()?).to_bits(),
        (Shape::Double, Kind::Double) => datum.double()?.to_bits(),
        (Shape::Fixed(ID_LENGTH), Kind::Id) => {
            datum.bytes(ID_LENGTH)?;
            from_span(start, place(datum))
        }
        (Shape::Text, Kind::Text) => {
            let bytes = datum.text()?.len();
            from_span(place(datum) - bytes, place(datum))
        }
        (Shape::List(_), Kind::TextList) | (Shape::Map(_), Kind::TextMap) => {
            pass_over(shape, datum)?;
            from_span(start, place(datum))
        }
        _ => return Err(Fault::Unsuitable),
    };
    Ok(Some(bits))
}

/// Passes over a value.
pub(super) fn pass_over(shape: &Shape, datum: &mut Datum<'_>) -> Result<(), Fault> {
    match shape {
        Shape::Null => Ok(()),
        Shape::Boolean => datum.boolean().map(drop),
        Shape::Int | Shape::Enum => datum.int().map(drop),
        Shape::Long(_) => datum.long().map(drop),
        Shape::Float => datum.bytes(4).map(drop),
        Shape::Double => datum.bytes(8).map(drop),
        Shape::Text => datum.text().map(drop),
        Shape::Fixed(size) => datum.bytes(*size).map(drop),
        Shape::List(items) => datum.each_item(|datum| pass_over(items, datum)),
        Shape::Map(values) => datum.each_item(|datum| datum.text().and_then(|_| pass_over(values, datum))),
        Shape::Union(branches) => pass_over(chosen(branches, datum)?, datum),
        Shape::Record(record) => record.fields.iter().try_for_each(|(_, shape)| pass_over(shape, datum)),
    }
}

fn chosen<'a>(branches: &'a [Shape], datum: &mut Datum<'_>) -> Result<&'a Shape, Fault> {
    let branch = datum.long()?;
    let place = usize::try_from(branch).ok();
    place.and_then(|place| branches.get(place)).ok_or(Fault::UnknownBranch { branch })
}

/// As Avro promotes it: to the nearest that a double has.
fn number(long: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "Avro's promotion of long to double")]
    let number = long as f64;
    number
}

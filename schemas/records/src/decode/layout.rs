//! How the fields of a record follow each other, taken from its Avro schema, and which of our columns each of them fills.
//!
//! A writer may have an older or a newer version of the schema than we: what it does not know gets the default, what only it
//! knows is passed over.

use apache_avro::schema::RecordField;
use apache_avro::types::Value;
use apache_avro::{Schema, to_avro_datum};

use super::cell::{Cell, scan, span};
use super::datum::{Datum, Fault};
use super::resolution::{fits, pass_over, read};
use super::shape::{RecordShape, Shape};

/// What a column or a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// 16 bytes.
    Id,
    Int,
    Long,
    Double,
    Boolean,
    Text,
    /// Array of text.
    TextList,
    /// Map of text to text.
    TextMap,
}

/// One field of a schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether it is a union with null, which comes first.
    pub(super) nullable: bool,
    /// What a record without the field holds, as Avro writes it; none if every record must have it.
    pub(super) default: Option<Vec<u8>>,
}

/// How records of one writer's schema fill our columns.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// The fields of a record.
    pub(super) fields: Vec<Field>,
    /// For each of them the column that it fills; none for one that only the writer knows.
    pub(super) columns: Vec<Option<usize>>,
    /// Columns that no field of a record fills.
    pub(super) missing: Vec<usize>,
    /// What they hold, as a record would write it.
    pub(super) defaults: Vec<u8>,
    /// How the fields are written, where that is not how we would write them; else empty.
    foreign: Vec<Shape>,
}

impl Layout {
    /// How a record with the fields `writer` fills the columns `reader`.
    pub(super) fn between(writer: Vec<Field>, reader: &[Field]) -> Self {
        let is_same = |field: &Field, column: &Field| {
            (&field.name, field.kind, field.nullable) == (&column.name, column.kind, column.nullable)
        };
        let place = |field: &Field| reader.iter().position(|column| is_same(field, column));
        let columns: Vec<Option<usize>> = writer.iter().map(place).collect();
        let missing: Vec<usize> = (0..reader.len()).filter(|column| !columns.contains(&Some(*column))).collect();
        let default = |column: &usize| reader[*column].default.clone();
        let defaults = missing.iter().flat_map(|column| default(column).expect("what a version lacks has a default"));
        Self { defaults: defaults.collect(), fields: writer, columns, missing, foreign: Vec::new() }
    }

    /// How a record of a registry's schema fills the columns of the schema `ours`, by Avro's rules of resolution.
    ///
    /// # Errors
    /// Why it cannot, in words, with the field.
    pub(super) fn resolve(writer: &str, ours: &str, reader: &[Field]) -> Result<Self, String> {
        let ours = record(ours)?;
        let writer = record(writer)?;
        if writer.name != ours.name {
            return Err(format!("it is of a record {}, not {}", writer.name, ours.name));
        }
        let mut columns = Vec::with_capacity(writer.fields.len());
        for (name, shape) in &writer.fields {
            let column = ours.fields.iter().position(|(field, _)| field == name);
            if let Some(column) = column
                && !fits(shape, &ours.fields[column].1)
            {
                return Err(format!("{name} is written as {}, read as {}", shape.name(), ours.fields[column].1.name()));
            }
            columns.push(column);
        }
        let missing: Vec<usize> = (0..reader.len()).filter(|column| !columns.contains(&Some(*column))).collect();
        let mut defaults = Vec::new();
        for column in &missing {
            let Field { name, default, .. } = &reader[*column];
            defaults.extend(default.as_ref().ok_or_else(|| format!("it has no field {name}, which must be there"))?);
        }
        let is_ours = |(name, shape): &(String, Shape)| ours.fields.contains(&(name.clone(), shape.clone()));
        let foreign = if writer.fields.iter().all(is_ours) {
            Vec::new()
        } else {
            writer.fields.iter().map(|(_, shape)| shape.clone()).collect()
        };
        let field = |(name, column): (&(String, Shape), &Option<usize>)| match column {
            Some(column) => reader[*column].clone(),
            // Passed over, so that only its name matters.
            None => Field { name: name.0.clone(), kind: Kind::Text, nullable: true, default: None },
        };
        let fields = writer.fields.iter().zip(&columns).map(field).collect();
        Ok(Self { fields, columns, missing, defaults, foreign })
    }

    /// Whether [`Layout::read`] is needed: `scan` reads the fields of all other layouts.
    #[inline]
    pub(super) fn is_foreign(&self) -> bool {
        !self.foreign.is_empty()
    }

    /// Reads the field at this place of a record of `length` bytes. One that only the writer knows is null.
    pub(super) fn read(&self, place: usize, datum: &mut Datum<'_>, length: usize) -> Result<Cell, Fault> {
        match (self.foreign.get(place), self.columns[place]) {
            (None, _) => scan(&self.fields[place], datum, length),
            (Some(shape), Some(_)) => read(shape, &self.fields[place], datum, length),
            (Some(shape), None) => pass_over(shape, datum).map(|()| None),
        }
    }

    /// The id of a record's operation; 0 for one that is cut short before it, which is found to be so when it is decoded.
    #[inline]
    pub(super) fn id(&self, bytes: &[u8]) -> u128 {
        if !self.is_foreign() && self.columns.first() == Some(&Some(0)) {
            return first_id(bytes);
        }
        let mut datum = Datum::new(bytes);
        for (place, column) in self.columns.iter().enumerate() {
            match self.read(place, &mut datum, bytes.len()) {
                Ok(Some(bits)) if *column == Some(0) => return first_id(&bytes[span(bits)]),
                Ok(_) => {}
                Err(_) => break,
            }
        }
        0
    }
}

fn first_id(bytes: &[u8]) -> u128 {
    bytes.first_chunk().map_or(0, |id| u128::from_be_bytes(*id))
}

fn record(schema: &str) -> Result<RecordShape, String> {
    match Shape::parse(schema)? {
        Shape::Record(record) => Ok(record),
        other => Err(format!("it is of {}, not a record", other.name())),
    }
}

/// The fields of a record schema.
///
/// # Panics
/// On a schema with a type that our contracts do not use: only built-in schemas come here.
pub(super) fn fields(schema: &str) -> Vec<Field> {
    match Schema::parse_str(schema).expect("a built-in schema is one of Avro") {
        Schema::Record(record) => record.fields.into_iter().map(field).collect(),
        _ => panic!("a built-in schema is one of a record"),
    }
}

fn field(field: RecordField) -> Field {
    let (value, nullable) = match &field.schema {
        Schema::Union(union) => match union.variants() {
            [Schema::Null, value] if !matches!(value, Schema::Array(_) | Schema::Map(_)) => (value, true),
            _ => panic!("our unions are of null and one type that is neither an array nor a map"),
        },
        value => (value, false),
    };
    let default = field.default.as_ref().map(|default| encoded(default, &field.schema));
    Field { kind: kind(value), nullable, default, name: field.name }
}

fn encoded(default: &serde_json::Value, schema: &Schema) -> Vec<u8> {
    let value = Value::from(default.clone()).resolve(schema).expect("a built-in schema's defaults are of its types");
    to_avro_datum(schema, value).expect("a value of the schema's type")
}

fn kind(value: &Schema) -> Kind {
    match value {
        Schema::Int => Kind::Int,
        Schema::Long | Schema::TimestampMillis | Schema::TimestampMicros => Kind::Long,
        Schema::Double => Kind::Double,
        Schema::Boolean => Kind::Boolean,
        Schema::String => Kind::Text,
        Schema::Fixed(fixed) if fixed.size == 16 => Kind::Id,
        Schema::Array(array) if *array.items == Schema::String => Kind::TextList,
        Schema::Map(map) if *map.types == Schema::String => Kind::TextMap,
        _ => panic!("our schemas have no type {value:?}"),
    }
}

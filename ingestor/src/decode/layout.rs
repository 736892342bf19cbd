//! How the fields of a record follow each other, taken from its Avro schema, and which of our columns each of them fills.
//!
//! A writer may have an older or a newer version of the schema than we: what it does not know gets the default, what only it
//! knows is passed over.

use apache_avro::schema::RecordField;
use apache_avro::types::Value;
use apache_avro::{Schema, to_avro_datum};

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
        Self { defaults: defaults.collect(), fields: writer, columns, missing }
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

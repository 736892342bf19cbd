//! The two shapes of an operation: as it is posted, from the Avro schema; as it is stored, from the list of columns.

use std::borrow::Cow;

use opstream_schemas::avro::OPERATION_V1;
use opstream_schemas::lake::{ColumnKind, OPERATION_COLUMNS};
use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, ArrayBuilder, KnownFormat, Object, SchemaType, Type};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

use crate::front_door::{JSON_FIELDS, USAGE_DESCRIPTION, USAGE_FIELD};
use crate::stored_operation::json_name;

/// An operation as it is posted. Every field may be left out.
pub(crate) struct Operation;

/// An operation as it is stored, with its cost and its place in the topic.
pub(crate) struct StoredOperation;

impl ToSchema for Operation {
    fn name() -> Cow<'static, str> {
        "Operation".into()
    }
}

impl ToSchema for StoredOperation {
    fn name() -> Cow<'static, str> {
        "StoredOperation".into()
    }
}

impl PartialSchema for Operation {
    fn schema() -> RefOr<Schema> {
        let record: Value =
            serde_json::from_str(OPERATION_V1).expect("the built-in schema is JSON, as its tests check");
        let mut schema = ObjectBuilder::new()
            .description(Some("One LLM operation. Every field may be left out; unknown fields are refused."))
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
        for field in record["fields"].as_array().into_iter().flatten() {
            let (name, shape) = posted_field(field);
            schema = schema.property(name, shape);
        }
        schema.property(USAGE_FIELD, described(USAGE_DESCRIPTION).schema_type(SchemaType::AnyValue)).into()
    }
}

fn posted_field(field: &Value) -> (String, Schema) {
    let name = field["name"].as_str().unwrap_or_default();
    let description = field["doc"].as_str().unwrap_or_default();
    if name == "reported_cost_nano_usd" {
        let money = described("US dollars as decimal text or a number, as the provider or producer reported them.");
        return (
            "reported_cost_usd".to_owned(),
            money.schema_type(types(&[Type::String, Type::Number, Type::Null])).into(),
        );
    }
    let object = described(description);
    let shape: Schema = match kind_of(&field["type"]) {
        _ if JSON_FIELDS.contains(&name) => described(&format!("{description} As JSON, or as text that contains it."))
            .schema_type(SchemaType::AnyValue)
            .into(),
        ("array", _) => {
            ArrayBuilder::new().items(Object::with_type(Type::String)).description(Some(description)).into()
        }
        ("map", _) => object.additional_properties(Some(ObjectBuilder::new().schema_type(Type::String))).into(),
        ("fixed", _) => object.schema_type(Type::String).format(Some(uuid())).into(),
        ("timestamp-micros", _) => object.schema_type(Type::String).format(Some(date_time())).into(),
        (kind, is_nullable) => {
            let primitive = match kind {
                "int" | "long" => Type::Integer,
                "double" => Type::Number,
                "boolean" => Type::Boolean,
                _ => Type::String,
            };
            object.schema_type(if is_nullable { types(&[primitive, Type::Null]) } else { primitive.into() }).into()
        }
    };
    (name.to_owned(), shape)
}

/// The Avro type, or its logical type, and whether it is a union with null.
fn kind_of(avro: &Value) -> (&str, bool) {
    match avro {
        Value::String(name) => (name, false),
        Value::Array(branches) => {
            (branches.iter().map(|branch| kind_of(branch).0).find(|kind| *kind != "null").unwrap_or("string"), true)
        }
        _ => (avro["logicalType"].as_str().or(avro["type"].as_str()).unwrap_or("string"), false),
    }
}

impl PartialSchema for StoredOperation {
    fn schema() -> RefOr<Schema> {
        let mut schema =
            ObjectBuilder::new().description(Some("One stored operation; fields without a value are left out."));
        for column in OPERATION_COLUMNS {
            let name = json_name(column);
            let object = ObjectBuilder::new();
            let shape = match (name, column.kind) {
                ("cost_usd", _) => {
                    described("US dollars, decimal text; null when the cost is unknown. By the price catalogue, unless `cost_status` is `reported`.")
                        .schema_type(types(&[Type::String, Type::Null]))
                }
                ("reported_cost_usd", _) => {
                    described("US dollars as reported, decimal text.").schema_type(Type::String)
                }
                ("catalogue_cost_usd", _) => described(
                    "US dollars by the price catalogue, decimal text, where a cost was reported too: whichever counts, the two can be compared.",
                )
                .schema_type(Type::String),
                ("billed_cost_usd", _) => {
                    described("US dollars that the operation cost before it was priced again, decimal text.")
                        .schema_type(Type::String)
                }
                (name, _) if name.ends_with("_usd") => {
                    described("Part of the cost in US dollars, or what caches saved; decimal text.")
                        .schema_type(Type::String)
                }
                ("time" | "started_at", _) => object.schema_type(Type::String).format(Some(date_time())),
                (_, ColumnKind::Id) => object.schema_type(Type::String).format(Some(uuid())),
                (_, ColumnKind::Int | ColumnKind::SmallInt) => object.schema_type(Type::Integer),
                (_, ColumnKind::Float) => object.schema_type(Type::Number),
                (_, ColumnKind::Bool) => object.schema_type(Type::Boolean),
                (_, ColumnKind::Text) => object.schema_type(Type::String),
                (_, ColumnKind::Json) => object.schema_type(SchemaType::AnyValue),
            };
            schema = schema.property(name, shape);
        }
        schema.into()
    }
}

fn described(text: &str) -> ObjectBuilder {
    ObjectBuilder::new().description(Some(text))
}

fn types(types: &[Type]) -> SchemaType {
    types.iter().cloned().collect()
}

fn date_time() -> SchemaFormat {
    SchemaFormat::KnownFormat(KnownFormat::DateTime)
}

/// Known to the builder only with a feature that brings the uuid crate's types.
fn uuid() -> SchemaFormat {
    SchemaFormat::Custom("uuid".to_owned())
}

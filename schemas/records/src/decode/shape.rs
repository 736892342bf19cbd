//! How a value of any Avro type is written, read from the text of another writer's schema.
//!
//! It is read here and not by the Avro library, which no longer tells an identifier of 16 bytes from one written as text. A schema
//! of a registry is not hostile, but anybody may register one: names, depth and size are limited, and none refers to itself.

use std::collections::HashMap;

use serde_json::Value;

/// Types within types; ours have two levels.
const MAX_DEPTH: usize = 32;
/// Types of one schema, counted wherever they are used.
const MAX_TYPES: usize = 10_000;

/// A type as its bytes are.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Null,
    Boolean,
    Int,
    Long(Option<TimeUnit>),
    Float,
    Double,
    /// Bytes and text are written alike.
    Text,
    Fixed(usize),
    Enum,
    List(Box<Shape>),
    Map(Box<Shape>),
    Union(Vec<Shape>),
    Record(RecordShape),
}

/// A record and its fields in their order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RecordShape {
    /// Without its namespace.
    pub(super) name: String,
    pub(super) fields: Vec<(String, Shape)>,
}

/// What a number counts since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TimeUnit {
    Millis,
    Micros,
    Nanos,
}

impl Shape {
    /// Reads the text of a schema.
    ///
    /// # Errors
    /// Why records with it cannot be read, in words for whoever registered it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let schema: Value = serde_json::from_str(text).map_err(|error| format!("its text is not JSON: {error}"))?;
        Parser { named: HashMap::new(), types: 0 }.shape(&schema, "", 0)
    }

    /// What people call it.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Boolean => "boolean".to_owned(),
            Self::Int => "int".to_owned(),
            Self::Long(None) => "long".to_owned(),
            Self::Long(Some(unit)) => format!("long of {unit:?} since 1970").to_lowercase(),
            Self::Float => "float".to_owned(),
            Self::Double => "double".to_owned(),
            Self::Text => "string".to_owned(),
            Self::Fixed(size) => format!("fixed of {size} bytes"),
            Self::Enum => "enum".to_owned(),
            Self::List(items) => format!("array of {}", items.name()),
            Self::Map(values) => format!("map of {}", values.name()),
            Self::Union(branches) => {
                let names: Vec<String> = branches.iter().map(Self::name).collect();
                format!("union of {}", names.join(" and "))
            }
            Self::Record(record) => format!("record {}", record.name),
        }
    }

    /// Whether a value may have no bytes. Of such items an array may claim any number.
    fn may_be_empty(&self) -> bool {
        match self {
            Self::Null | Self::Fixed(0) => true,
            Self::Record(record) => record.fields.iter().all(|(_, shape)| shape.may_be_empty()),
            _ => false,
        }
    }

    fn types(&self) -> usize {
        1 + match self {
            Self::List(inner) | Self::Map(inner) => inner.types(),
            Self::Union(branches) => branches.iter().map(Self::types).sum(),
            Self::Record(record) => record.fields.iter().map(|(_, shape)| shape.types()).sum(),
            _ => 0,
        }
    }
}

struct Parser {
    /// By full name; none while a type is being read.
    named: HashMap<String, Option<Shape>>,
    types: usize,
}

impl Parser {
    fn shape(&mut self, schema: &Value, namespace: &str, depth: usize) -> Result<Shape, String> {
        self.count(1)?;
        if depth > MAX_DEPTH {
            return Err(format!("its types are nested deeper than {MAX_DEPTH} levels"));
        }
        match schema {
            Value::String(name) => self.by_name(name, namespace, None),
            Value::Array(branches) => {
                let branches = branches.iter().map(|branch| self.shape(branch, namespace, depth + 1));
                Ok(Shape::Union(branches.collect::<Result<_, _>>()?))
            }
            Value::Object(_) => self.complex(schema, namespace, depth),
            other => Err(format!("{other} is no type")),
        }
    }

    fn complex(&mut self, schema: &Value, namespace: &str, depth: usize) -> Result<Shape, String> {
        let mut inner = |name: &str| {
            let inner = schema.get(name).ok_or_else(|| format!("a type has no {name}"))?;
            self.shape(inner, namespace, depth + 1)
        };
        match schema.get("type").and_then(Value::as_str) {
            None => inner("type"),
            Some("array") => {
                let items = inner("items")?;
                if items.may_be_empty() {
                    return Err(format!("it has an array of {}, whose items have no bytes", items.name()));
                }
                Ok(Shape::List(Box::new(items)))
            }
            Some("map") => Ok(Shape::Map(Box::new(inner("values")?))),
            Some("record" | "error") => self.record(schema, namespace, depth),
            Some("enum") => self.define(schema, namespace, |_, _| Ok(Shape::Enum)),
            Some("fixed") => self.define(schema, namespace, |_, _| {
                let size = schema.get("size").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
                size.map(Shape::Fixed).ok_or_else(|| "a fixed type has no size".to_owned())
            }),
            Some(name) => self.by_name(name, namespace, schema.get("logicalType").and_then(Value::as_str)),
        }
    }

    fn record(&mut self, schema: &Value, namespace: &str, depth: usize) -> Result<Shape, String> {
        let fields = schema.get("fields").and_then(Value::as_array).ok_or("a record has no fields")?;
        self.define(schema, namespace, |parser, (full_name, namespace)| {
            let mut read = Vec::with_capacity(fields.len());
            for field in fields {
                let name = field.get("name").and_then(Value::as_str).ok_or("a field has no name")?;
                let kind = field.get("type").ok_or_else(|| format!("{name}: the field has no type"))?;
                let shape = parser.shape(kind, namespace, depth + 1).map_err(|reason| format!("{name}: {reason}"))?;
                read.push((name.to_owned(), shape));
            }
            let name = full_name.rsplit('.').next().unwrap_or(full_name).to_owned();
            Ok(Shape::Record(RecordShape { name, fields: read }))
        })
    }

    /// Reads a type with a name, which may be used from then on. `read` is given the full name and its namespace.
    fn define(
        &mut self,
        schema: &Value,
        namespace: &str,
        read: impl FnOnce(&mut Self, (&str, &str)) -> Result<Shape, String>,
    ) -> Result<Shape, String> {
        let name = schema.get("name").and_then(Value::as_str).ok_or("a type has no name")?;
        let namespace = schema.get("namespace").and_then(Value::as_str).unwrap_or(namespace);
        let full_name = full_name(name, namespace);
        let namespace = full_name.rsplit_once('.').map_or("", |(namespace, _)| namespace).to_owned();
        self.named.insert(full_name.clone(), None);
        let shape = read(self, (&full_name, &namespace))?;
        self.named.insert(full_name, Some(shape.clone()));
        Ok(shape)
    }

    fn by_name(&mut self, name: &str, namespace: &str, logical: Option<&str>) -> Result<Shape, String> {
        Ok(match name {
            "null" => Shape::Null,
            "boolean" => Shape::Boolean,
            "int" => Shape::Int,
            "long" => Shape::Long(match logical {
                Some("timestamp-millis" | "local-timestamp-millis") => Some(TimeUnit::Millis),
                Some("timestamp-micros" | "local-timestamp-micros") => Some(TimeUnit::Micros),
                Some("timestamp-nanos" | "local-timestamp-nanos") => Some(TimeUnit::Nanos),
                _ => None,
            }),
            "float" => Shape::Float,
            "double" => Shape::Double,
            "string" | "bytes" => Shape::Text,
            _ => return self.defined(name, namespace),
        })
    }

    fn defined(&mut self, name: &str, namespace: &str) -> Result<Shape, String> {
        let found = self.named.get(&full_name(name, namespace)).or_else(|| self.named.get(name));
        match found.cloned() {
            Some(Some(shape)) => self.count(shape.types()).map(|()| shape),
            Some(None) => Err(format!("the type {name} contains itself")),
            None => Err(format!("the type {name} is not defined in it")),
        }
    }

    fn count(&mut self, types: usize) -> Result<(), String> {
        self.types += types;
        if self.types > MAX_TYPES { Err(format!("it has more than {MAX_TYPES} types")) } else { Ok(()) }
    }
}

fn full_name(name: &str, namespace: &str) -> String {
    if name.contains('.') || namespace.is_empty() { name.to_owned() } else { format!("{namespace}.{name}") }
}

#[cfg(test)]
mod tests {
    use opstream_schemas::avro::OPERATION_V1;
    use serde_json::json;

    use super::*;

    #[test]
    fn our_own_schema_is_read() {
        let Ok(Shape::Record(record)) = Shape::parse(OPERATION_V1) else { panic!("it is a record") };
        assert_eq!(record.name, "Operation");
        assert_eq!(record.fields[0], ("operation_id".to_owned(), Shape::Fixed(16)));
        let field = |name: &str| &record.fields.iter().find(|(field, _)| field == name).unwrap().1;
        assert_eq!(field("started_at"), &Shape::Long(Some(TimeUnit::Micros)));
        assert_eq!(field("stream"), &Shape::Union(vec![Shape::Null, Shape::Boolean]));
        assert_eq!(field("tags"), &Shape::Map(Box::new(Shape::Text)));
    }

    #[test]
    fn named_types_are_found_in_their_namespace() {
        let schema = json!({"type": "record", "name": "a.R", "fields": [
            {"name": "one", "type": {"type": "fixed", "name": "F", "size": 2}},
            {"name": "two", "type": "F"},
            {"name": "three", "type": {"type": "array", "items": "a.F"}},
            {"name": "four", "type": {"type": {"type": "string", "avro.java.string": "String"}}},
        ]});
        let Ok(Shape::Record(record)) = Shape::parse(&schema.to_string()) else { panic!("it is a record") };
        let shapes: Vec<&Shape> = record.fields.iter().map(|(_, shape)| shape).collect();
        let list = Shape::List(Box::new(Shape::Fixed(2)));
        assert_eq!(shapes, [&Shape::Fixed(2), &Shape::Fixed(2), &list, &Shape::Text]);
    }

    #[test]
    fn what_would_not_end_is_refused() {
        let field = |kind: Value| json!({"type": "record", "name": "R", "fields": [{"name": "f", "type": kind}]});
        let mut deep = json!("int");
        let mut wide = json!("int");
        for n in 0..40 {
            deep = json!({"type": "array", "items": deep});
            wide = json!({"type": "record", "name": format!("W{n}"), "fields": [
                {"name": "a", "type": wide}, {"name": "b", "type": if n == 0 { "int".to_owned() } else { format!("W{}", n - 1) }},
            ]});
            if n == 20 {
                let error = Shape::parse(&wide.to_string()).unwrap_err();
                assert!(error.contains("more than 10000 types"), "{error}");
            }
        }
        for (schema, expected) in [
            (field(json!(["null", "R"])), "f: the type R contains itself"),
            (field(json!({"type": "array", "items": "null"})), "f: it has an array of null, whose items have no bytes"),
            (field(json!("Elsewhere")), "f: the type Elsewhere is not defined in it"),
            (field(json!(7)), "f: 7 is no type"),
            (deep, "its types are nested deeper than 32 levels"),
            (json!({"type": "record", "name": "R"}), "a record has no fields"),
        ] {
            assert_eq!(Shape::parse(&schema.to_string()), Err(expected.to_owned()));
        }
        assert!(Shape::parse("syntax = \"proto3\"").unwrap_err().contains("not JSON"));
    }
}

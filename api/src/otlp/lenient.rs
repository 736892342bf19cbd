//! Reads what exporters write as JSON, and not only what the specification has them write: numbers as strings and strings as
//! numbers, ids in any case, lists and objects that are left out or null.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::model::{Attribute, Status, Value};

/// A value, or its default for null.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// Anything that a name or number may be written as.
enum Scalar<'a> {
    Nothing,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Double(f64),
    Text(Cow<'a, str>),
}

/// A text. Numbers are taken by their digits.
pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'de, str>, D::Error> {
    Ok(match Scalar::deserialize(from)? {
        Scalar::Nothing => Cow::Borrowed(""),
        Scalar::Bool(value) => Cow::Owned(value.to_string()),
        Scalar::Int(value) => Cow::Owned(value.to_string()),
        Scalar::Unsigned(value) => Cow::Owned(value.to_string()),
        Scalar::Double(value) => Cow::Owned(value.to_string()),
        Scalar::Text(text) => text,
    })
}

/// An id in hexadecimal digits. What is none keeps its bytes, and so has the wrong length.
pub(super) fn id<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'de, [u8]>, D::Error> {
    let digits = text(from)?;
    Ok(Cow::Owned(hex::decode(&*digits).unwrap_or_else(|_| digits.as_bytes().to_vec())))
}

/// Nanoseconds or a count.
pub(super) fn unsigned<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match Scalar::deserialize(from)? {
        Scalar::Nothing => Ok(0),
        Scalar::Unsigned(value) => Ok(value),
        Scalar::Text(text) => text.trim().parse().map_err(|_| D::Error::custom("a time or count is no whole number")),
        _ => Err(D::Error::custom("a time or count is no whole number")),
    }
}

/// The number of a status, or the name that some exporters write.
pub(super) fn status_code<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match Scalar::deserialize(from)? {
        Scalar::Unsigned(code) => Ok(code),
        Scalar::Text(name) if name.eq_ignore_ascii_case("STATUS_CODE_ERROR") => Ok(Status::ERROR),
        Scalar::Text(code) => Ok(code.trim().parse().unwrap_or_default()),
        _ => Ok(0),
    }
}

impl<'de> Deserialize<'de> for Scalar<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Scalar<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or number")
            }
            fn visit_unit<E>(self) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Nothing)
            }
            fn visit_bool<E>(self, value: bool) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Int(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Unsigned(value))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Double(value))
            }
            fn visit_none<E>(self) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Nothing)
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }
        }
        from.deserialize_any(Any)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Value<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct AnyValue;
        impl<'de> Visitor<'de> for AnyValue {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object such as {\"stringValue\":\"…\"}")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value<'de>, A::Error> {
                let mut value = Value::Null;
                while let Some(kind) = fields.next_key::<Text<'de>>()? {
                    value = match &*kind.0 {
                        "stringValue" | "string_value" => Value::Text(fields.next_value::<Text<'de>>()?.0),
                        "boolValue" | "bool_value" => bool_of(fields.next_value()?),
                        "intValue" | "int_value" => int_of(fields.next_value()?),
                        "doubleValue" | "double_value" => double_of(fields.next_value()?),
                        "bytesValue" | "bytes_value" => bytes_of(fields.next_value::<Text<'de>>()?.0),
                        "arrayValue" | "array_value" => {
                            Value::List(fields.next_value::<Option<List<'de>>>()?.unwrap_or_default().values)
                        }
                        "kvlistValue" | "kvlist_value" => {
                            Value::Map(fields.next_value::<Option<Entries<'de>>>()?.unwrap_or_default().values)
                        }
                        _ => {
                            fields.next_value::<IgnoredAny>()?;
                            value
                        }
                    };
                }
                Ok(value)
            }
        }
        from.deserialize_map(AnyValue)
    }
}

/// `{"values": […]}`, perhaps without them.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct List<'a> {
    #[serde(deserialize_with = "or_default")]
    values: Vec<Value<'a>>,
}

/// The same for a map.
#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Entries<'a> {
    #[serde(deserialize_with = "or_default")]
    values: Vec<Attribute<'a>>,
}

struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        text(from).map(Self)
    }
}

fn bool_of(scalar: Scalar<'_>) -> Value<'_> {
    match scalar {
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Text(text) => text.parse().map_or(Value::Text(text), Value::Bool),
        _ => Value::Null,
    }
}

fn int_of(scalar: Scalar<'_>) -> Value<'_> {
    match scalar {
        Scalar::Int(value) => Value::Int(value),
        Scalar::Unsigned(value) => {
            i64::try_from(value).map_or_else(|_| Value::Text(value.to_string().into()), Value::Int)
        }
        Scalar::Double(value) => Value::Double(value),
        Scalar::Text(text) => text.trim().parse().map_or(Value::Text(text), Value::Int),
        Scalar::Bool(_) | Scalar::Nothing => Value::Null,
    }
}

#[expect(clippy::cast_precision_loss, reason = "whoever writes an integer as a double means it so")]
fn double_of(scalar: Scalar<'_>) -> Value<'_> {
    match scalar {
        Scalar::Int(value) => Value::Double(value as f64),
        Scalar::Unsigned(value) => Value::Double(value as f64),
        Scalar::Double(value) => Value::Double(value),
        // Also NaN and Infinity, which JSON has no number for.
        Scalar::Text(text) => text.trim().parse().map_or(Value::Text(text), Value::Double),
        Scalar::Bool(_) | Scalar::Nothing => Value::Null,
    }
}

fn bytes_of(text: Cow<'_, str>) -> Value<'_> {
    BASE64_STANDARD.decode(&*text).map_or(Value::Text(text), |bytes| Value::Bytes(Cow::Owned(bytes)))
}

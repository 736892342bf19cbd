//! Single values of Python, read leniently: what several libraries mean by a number, a moment or an amount.
//!
//! An error is the reason in words, without the value where it could be a text of the application.

use opstream_schemas::{NanoUsd, OperationId, UtcMicros};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyFloat, PyInt, PyString};

use crate::json::type_name;

const MICROS_PER_SECOND: f64 = 1e6;
const MICROS_PER_MILLI: f64 = 1e3;
/// Floats beyond it are no whole numbers any more.
const LARGEST_WHOLE: f64 = 9_007_199_254_740_992.0;

/// A text; numbers and UUIDs become one, since ids are often that.
pub(crate) fn text(value: &Bound<'_, PyAny>) -> Result<String, String> {
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(text.to_string_lossy().into_owned());
    }
    let is_number = value.cast::<PyInt>().is_ok() && value.cast::<PyBool>().is_err();
    if is_number || type_name(value) == "UUID" {
        return value.str().map(|text| text.to_string_lossy().into_owned()).map_err(|_| expected("text", value));
    }
    Err(expected("text", value))
}

/// A count: an integer, also of numpy, or a float without fraction.
pub(crate) fn count(value: &Bound<'_, PyAny>) -> Result<i64, String> {
    if value.cast::<PyBool>().is_ok() {
        return Err(expected("a whole number", value));
    }
    if let Ok(number) = value.cast::<PyFloat>() {
        let number = number.value();
        return if number.fract() == 0.0 && number.abs() <= LARGEST_WHOLE {
            Ok(whole(number))
        } else {
            Err("expected a whole number, not a fraction".to_owned())
        };
    }
    value.extract::<i64>().map_err(|_| expected("a whole number", value))
}

/// A float, from any number.
pub(crate) fn float(value: &Bound<'_, PyAny>) -> Result<f64, String> {
    if value.cast::<PyBool>().is_ok() {
        return Err(expected("a number", value));
    }
    let number = value.extract::<f64>().map_err(|_| expected("a number", value))?;
    if number.is_finite() { Ok(number) } else { Err("expected a number, not infinity or NaN".to_owned()) }
}

/// True or false.
pub(crate) fn claim(value: &Bound<'_, PyAny>) -> Result<bool, String> {
    value.cast::<PyBool>().map(PyBoolMethods::is_true).map_err(|_| expected("true or false", value))
}

/// Milliseconds, with a fraction, as microseconds.
pub(crate) fn millis(value: &Bound<'_, PyAny>) -> Result<i64, String> {
    let micros = (float(value)? * MICROS_PER_MILLI).round();
    if micros.abs() <= LARGEST_WHOLE { Ok(whole(micros)) } else { Err("is longer than any call".to_owned()) }
}

/// A moment: a `datetime` (one without a zone is local time, as everywhere in Python), seconds since 1970, or RFC 3339 text.
pub(crate) fn moment(value: &Bound<'_, PyAny>) -> Result<UtcMicros, String> {
    if let Ok(text) = value.cast::<PyString>() {
        return UtcMicros::parse_rfc3339(&text.to_string_lossy())
            .map_err(|_| "expected RFC 3339 text such as 2026-11-23T08:00:00Z".to_owned());
    }
    let seconds = match value.call_method0("timestamp") {
        Ok(seconds) => float(&seconds)?,
        Err(_) => float(value).map_err(|_| expected("a datetime, seconds since 1970 or RFC 3339 text", value))?,
    };
    let micros = (seconds * MICROS_PER_SECOND).round();
    if micros.abs() <= LARGEST_WHOLE {
        Ok(UtcMicros::from_micros(whole(micros)))
    } else {
        Err("is no moment of our time".to_owned())
    }
}

/// An amount in US dollars: a number, `Decimal` or decimal text.
pub(crate) fn dollars(value: &Bound<'_, PyAny>) -> Result<NanoUsd, String> {
    let no_amount = |_| "is no amount in US dollars".to_owned();
    if value.cast::<PyFloat>().is_ok() {
        return NanoUsd::from_f64(float(value)?).map_err(no_amount);
    }
    let is_number = value.cast::<PyInt>().is_ok() && value.cast::<PyBool>().is_err();
    if is_number || value.cast::<PyString>().is_ok() || type_name(value) == "Decimal" {
        let text = value.str().map_err(|_| expected("US dollars", value))?;
        return NanoUsd::parse(&text.to_string_lossy()).map_err(no_amount);
    }
    Err(expected("US dollars", value))
}

/// An operation id: UUIDv7 as text or `UUID`.
pub(crate) fn operation_id(value: &Bound<'_, PyAny>) -> Result<OperationId, String> {
    text(value)?.parse().map_err(|_| "expected a UUIDv7".to_owned())
}

/// Texts: a list or tuple of them, or a single one.
pub(crate) fn texts(value: &Bound<'_, PyAny>) -> Result<Vec<String>, String> {
    if value.cast::<PyString>().is_ok() {
        return Ok(vec![text(value)?]);
    }
    let values = value.try_iter().map_err(|_| expected("a list of texts", value))?;
    values.filter_map(Result::ok).filter(|value| !value.is_none()).map(|value| text(&value)).collect()
}

fn expected(wanted: &str, value: &Bound<'_, PyAny>) -> String {
    format!("expected {wanted}, not {}", type_name(value))
}

/// A float that is known to be whole and small enough.
#[expect(clippy::cast_possible_truncation, reason = "the caller has checked that it is a whole number below 2^53")]
fn whole(number: f64) -> i64 {
    number as i64
}

//! Python's values as JSON text, without an intermediate tree.
//!
//! What JSON cannot express is written as something near it rather than refused: a number that is none as null, a set as a list,
//! models of pydantic as what they dump, anything else by the name of its type. Never calls `repr` or `str` of a stranger: they may
//! be slow, or say secrets.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde::Serialize;

/// How deep values may be nested; what is deeper is null. It also ends values that contain themselves.
const DEEPEST: usize = 64;
/// Largest text of one value. Longer ones do not fit a message of a usual broker.
const LARGEST_BYTES: usize = 64 << 20;

/// A value that is too large to be written.
#[derive(Debug)]
pub(crate) struct TooLarge;

/// The JSON text of a value.
///
/// # Errors
/// When it is longer than 64 MiB.
pub(crate) fn to_json(value: &Bound<'_, PyAny>) -> Result<String, TooLarge> {
    let mut out = Vec::new();
    write(&mut out, value)?;
    Ok(into_text(out))
}

/// What was written here, as text.
pub(crate) fn into_text(out: Vec<u8>) -> String {
    String::from_utf8(out).expect("only text is written")
}

/// Appends the JSON text of a value.
///
/// # Errors
/// When the text becomes longer than 64 MiB.
pub(crate) fn write(out: &mut Vec<u8>, value: &Bound<'_, PyAny>) -> Result<(), TooLarge> {
    write_nested(out, value, DEEPEST)
}

fn write_nested(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), TooLarge> {
    if out.len() > LARGEST_BYTES {
        return Err(TooLarge);
    }
    if let Ok(text) = value.cast::<PyString>() {
        write_text(out, &text.to_string_lossy());
    } else if value.is_none() || depth == 0 {
        out.extend_from_slice(b"null");
    } else if let Ok(claim) = value.cast::<PyBool>() {
        write_plain(out, &claim.is_true());
    } else if let Ok(number) = value.cast::<PyInt>() {
        write_whole(out, number);
    } else if let Ok(number) = value.cast::<PyFloat>() {
        // Null for what is no number.
        write_plain(out, &number.value());
    } else if let Ok(map) = value.cast::<PyDict>() {
        return write_map(out, map, depth - 1);
    } else if let Ok(list) = value.cast::<PyList>() {
        return write_list(out, list.iter(), depth - 1);
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        return write_list(out, tuple.iter(), depth - 1);
    } else {
        return write_stranger(out, value, depth - 1);
    }
    Ok(())
}

/// Appends a text in quotes.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    write_plain(out, text);
}

fn write_plain(out: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("texts and numbers are JSON, and writing into memory does not fail");
}

fn write_whole(out: &mut Vec<u8>, number: &Bound<'_, PyInt>) {
    match number.extract::<i64>() {
        Ok(number) => write_plain(out, &number),
        // JSON knows no limit, but its readers do.
        Err(_) => write_plain(out, &number.extract::<f64>().unwrap_or(f64::NAN)),
    }
}

fn write_map(out: &mut Vec<u8>, map: &Bound<'_, PyDict>, depth: usize) -> Result<(), TooLarge> {
    out.push(b'{');
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        match key.cast::<PyString>() {
            Ok(key) => write_text(out, &key.to_string_lossy()),
            Err(_) => write_text(out, &plain_key(&key)),
        }
        out.push(b':');
        write_nested(out, &value, depth)?;
    }
    out.push(b'}');
    Ok(())
}

/// Numbers are keys in Python, and texts in JSON.
fn plain_key(key: &Bound<'_, PyAny>) -> String {
    match key.extract::<i64>() {
        Ok(number) => number.to_string(),
        Err(_) => type_name(key),
    }
}

fn write_list<'py>(
    out: &mut Vec<u8>,
    values: impl Iterator<Item = Bound<'py, PyAny>>,
    depth: usize,
) -> Result<(), TooLarge> {
    out.push(b'[');
    for (index, value) in values.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write_nested(out, &value, depth)?;
    }
    out.push(b']');
    Ok(())
}

fn write_stranger(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, depth: usize) -> Result<(), TooLarge> {
    if value.cast::<PyBytes>().is_err() {
        if let Some(dumped) = dumped(value) {
            return write_map(out, &dumped, depth);
        }
        // Sets and other iterables that know their length; an iterator would be used up.
        if value.len().is_ok()
            && let Ok(values) = value.try_iter()
        {
            return write_list(out, values.filter_map(Result::ok), depth);
        }
    }
    write_text(out, &format!("({})", type_name(value)));
    Ok(())
}

/// What a model of pydantic says of itself; the SDKs of providers are made of such models.
pub(crate) fn dumped<'py>(value: &Bound<'py, PyAny>) -> Option<Bound<'py, PyDict>> {
    let dump = value.getattr(intern!(value.py(), "model_dump")).ok()?;
    let options = PyDict::new(value.py());
    options.set_item("exclude_none", true).ok()?;
    // The SDKs' own models hold what a provider added since; pydantic would warn of it on standard error.
    options.set_item("warnings", false).ok()?;
    dump.call((), Some(&options)).ok()?.cast_into::<PyDict>().ok()
}

/// Name of the type of a value.
pub(crate) fn type_name(value: &Bound<'_, PyAny>) -> String {
    value.get_type().name().map_or_else(|_| "object".to_owned(), |name| name.to_string_lossy().into_owned())
}

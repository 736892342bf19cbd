//! The primitives of Avro's binary encoding, appended to a buffer. Unions are always `["null", T]`.

use std::collections::BTreeMap;

/// Zig-zag variable-length integer.
#[inline]
pub(super) fn put_long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        out.push(low_seven_bits(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low_seven_bits(rest));
}

#[inline]
fn low_seven_bits(value: u64) -> u8 {
    (value & 0x7f).to_le_bytes()[0]
}

#[inline]
fn put_length(out: &mut Vec<u8>, length: usize) {
    put_long(out, i64::try_from(length).expect("a buffer in memory is shorter than 2^63 bytes"));
}

#[inline]
pub(super) fn put_string(out: &mut Vec<u8>, value: &str) {
    put_bytes(out, value.as_bytes());
}

#[inline]
pub(super) fn put_bytes(out: &mut Vec<u8>, value: &[u8]) {
    put_length(out, value.len());
    out.extend_from_slice(value);
}

#[inline]
pub(super) fn put_bool(out: &mut Vec<u8>, value: bool) {
    out.push(u8::from(value));
}

/// Writes the branch of `["null", T]` and says whether a value follows.
#[inline]
fn put_branch<T>(out: &mut Vec<u8>, value: Option<T>) -> Option<T> {
    // Branch numbers 0 and 1, zig-zag encoded.
    out.push(if value.is_some() { 2 } else { 0 });
    value
}

#[inline]
pub(super) fn put_optional_string(out: &mut Vec<u8>, value: Option<&str>) {
    if let Some(value) = put_branch(out, value) {
        put_string(out, value);
    }
}

#[inline]
pub(super) fn put_optional_long(out: &mut Vec<u8>, value: Option<i64>) {
    if let Some(value) = put_branch(out, value) {
        put_long(out, value);
    }
}

#[inline]
pub(super) fn put_optional_bool(out: &mut Vec<u8>, value: Option<bool>) {
    if let Some(value) = put_branch(out, value) {
        put_bool(out, value);
    }
}

#[inline]
pub(super) fn put_optional_double(out: &mut Vec<u8>, value: Option<f64>) {
    if let Some(value) = put_branch(out, value) {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

pub(super) fn put_array(out: &mut Vec<u8>, items: &[String]) {
    if !items.is_empty() {
        put_length(out, items.len());
        for item in items {
            put_string(out, item);
        }
    }
    out.push(0);
}

pub(super) fn put_optional_map(out: &mut Vec<u8>, entries: &BTreeMap<String, Option<String>>) {
    if !entries.is_empty() {
        put_length(out, entries.len());
        for (key, value) in entries {
            put_string(out, key);
            put_optional_string(out, value.as_deref());
        }
    }
    out.push(0);
}

pub(super) fn put_map(out: &mut Vec<u8>, entries: &BTreeMap<String, String>) {
    if !entries.is_empty() {
        put_length(out, entries.len());
        for (key, value) in entries {
            put_string(out, key);
            put_string(out, value);
        }
    }
    out.push(0);
}

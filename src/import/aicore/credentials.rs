//! Removes keys, tokens and headers from what an application stored with a record.
//!
//! `AiCore` strips `api_key` at the top level only, so that authorization headers end up in its files. Better a parameter
//! too few here than a credential in a database that a whole team can read.

use serde_json::{Map, Value};

/// Keys that are dropped whatever they hold.
const DROPPED_KEYS: &[&str] = &[
    "extra_headers",
    "default_headers",
    "headers",
    "extra_query",
    "http_client",
    "authorization",
    "proxy_authorization",
    "cookie",
    "set_cookie",
    "credentials",
    "connection_string",
];
/// A key that contains one of these holds a secret.
const SECRET_PARTS: &[&str] =
    &["api_key", "apikey", "access_key", "private_key", "secret", "password", "passwd", "credential"];
/// Beginnings of keys that providers hand out, whatever field they stand in.
const SECRET_STARTS: &[&str] = &[
    "sk-",
    "sk_",
    "pk-",
    "rk_",
    "gsk_",
    "xai-",
    "AIza",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "hf_",
    "xoxb-",
    "xoxp-",
    "eyJ",
];
/// Shorter texts with such a beginning are words.
const SHORTEST_SECRET_BYTES: usize = 14;
/// Length of an AWS access key id.
const AWS_KEY_BYTES: usize = 20;

/// Removes every entry that is or may be a credential, at any depth; true when there was one.
pub(super) fn remove_from(map: &mut Map<String, Value>) -> bool {
    let n_before = map.len();
    map.retain(|key, value| !is_secret_key(key) && !is_secret_text(value));
    let mut had_any = map.len() != n_before;
    for value in map.values_mut() {
        had_any |= remove_inside(value);
    }
    had_any
}

fn remove_inside(value: &mut Value) -> bool {
    match value {
        Value::Object(map) => remove_from(map),
        Value::Array(values) => {
            let n_before = values.len();
            values.retain(|value| !is_secret_text(value));
            let mut had_any = values.len() != n_before;
            for value in values {
                had_any |= remove_inside(value);
            }
            had_any
        }
        _ => false,
    }
}

fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    DROPPED_KEYS.contains(&key.as_str())
        || SECRET_PARTS.iter().any(|part| key.contains(part))
        // `max_tokens` and its kin are counts, so only the singular is a secret.
        || key == "token"
        || key.ends_with("_token")
}

fn is_secret_text(value: &Value) -> bool {
    let Value::String(text) = value else { return false };
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some(word), None, _) => is_secret_word(word),
        (Some(scheme), Some(word), None) if scheme.eq_ignore_ascii_case("bearer") => word.len() > 3,
        // "Basic" is also a word of English; user and password in base64 are not lower case alone.
        (Some(scheme), Some(word), None) if scheme.eq_ignore_ascii_case("basic") => {
            word.bytes().any(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'=')
        }
        _ => false,
    }
}

fn is_secret_word(word: &str) -> bool {
    let is_aws_key = word.len() == AWS_KEY_BYTES
        && (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    is_aws_key || (word.len() >= SHORTEST_SECRET_BYTES && SECRET_STARTS.iter().any(|start| word.starts_with(start)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_are_removed_at_any_depth_and_counts_stay() {
        let mut map: Map<String, Value> = serde_json::from_value(json!({
            "max_tokens": 5, "api_key": "x", "extra_headers": {"authorization": "Bearer leak-me-not"},
            "nested": [{"X-Api-Key": "y", "keep": 1}, "sk-abcdefghijklmnop"], "auth_token": "z",
            "note": "Bearer of good news in many words", "id": "skip-this", "region": "asia-northeast-south",
            "level": "Basic understanding", "proxy": "Basic dXNlcjpwYXNz", "aws": "AKIAIOSFODNN7EXAMPLE"
        }))
        .unwrap();
        assert!(remove_from(&mut map));
        let expected = json!({
            "max_tokens": 5, "nested": [{"keep": 1}], "note": "Bearer of good news in many words", "id": "skip-this",
            "region": "asia-northeast-south", "level": "Basic understanding"
        });
        assert_eq!(Value::Object(map.clone()), expected);
        assert!(!remove_from(&mut map));
    }
}

//! Keys and passwords by their names: they are replaced whatever else is kept. Pure.
//!
//! The names are those that the producer's redaction hides, and headers as a whole: clients of models pass their keys in them.

use serde_json::{Map, Value as Json};

/// What stands in the place of a credential, as the producer writes it.
pub(super) const MARKER: &str = "[redacted secret]";
/// Levels of JSON within texts that are looked into.
const LEVELS: usize = 3;
/// How names of credentials end, without their marks: `X-Goog-Api-Key`, `openai_api_key`, `apiKey`.
const ENDINGS: [&str; 17] = [
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "authorization",
    "accesstoken",
    "refreshtoken",
    "sessiontoken",
    "securitytoken",
    "bearertoken",
    "authtoken",
    "idtoken",
    "clientsecret",
    "password",
    "passwd",
    "cookie",
    "headers",
];

/// Whether one of the name's parts, which dots separate, is that of a credential.
pub(super) fn is_credential(name: &str) -> bool {
    name.split('.').any(|part| ENDINGS.iter().any(|ending| ends_with(part, ending)))
}

/// Compares from behind: most names differ in their last letter.
fn ends_with(part: &str, ending: &str) -> bool {
    let mut letters =
        part.bytes().rev().filter(|byte| !matches!(byte, b'-' | b'_')).map(|byte| byte.to_ascii_lowercase());
    ending.bytes().rev().all(|wanted| letters.next() == Some(wanted))
}

/// The value that may be kept under a name: credentials in it are replaced, at any depth.
pub(super) fn without_credentials(name: &str, mut value: Json) -> Json {
    if is_credential(name) {
        return hidden(&value);
    }
    hide_within(&mut value, LEVELS);
    value
}

/// Whether something in the value was hidden.
fn hide_within(value: &mut Json, levels: usize) -> bool {
    match value {
        Json::Array(items) => items.iter_mut().fold(false, |is_hidden, item| hide_within(item, levels) | is_hidden),
        Json::Object(fields) => hide_fields(fields, levels),
        Json::String(text) if levels > 0 && text.trim_start().starts_with(['{', '[']) => {
            let Ok(mut inner) = serde_json::from_str::<Json>(text) else { return false };
            let is_hidden = hide_within(&mut inner, levels - 1);
            if is_hidden {
                *text = inner.to_string();
            }
            is_hidden
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

fn hide_fields(fields: &mut Map<String, Json>, levels: usize) -> bool {
    let mut is_hidden = false;
    for (name, value) in fields {
        if is_credential(name) {
            *value = hidden(value);
            is_hidden = true;
        } else {
            is_hidden |= hide_within(value, levels);
        }
    }
    is_hidden
}

/// A truth value only says that there is a credential.
fn hidden(value: &Json) -> Json {
    match value {
        Json::Null | Json::Bool(_) => value.clone(),
        _ => MARKER.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_are_known_in_every_spelling_and_place() {
        for name in [
            "api_key",
            "apiKey",
            "X-API-Key",
            "x-goog-api-key",
            "OPENAI_API_KEY",
            "Authorization",
            "proxy-authorization",
            "aws_secret_access_key",
            "llm.headers",
            "extra_headers",
            "http.request.header.authorization",
            "gen_ai.request.headers.anthropic-version",
            "Set-Cookie",
        ] {
            assert!(is_credential(name), "{name}");
        }
        for name in ["", "token", "max_tokens", "gen_ai.usage.input_tokens", "author", "api_key_name", "header", "key"]
        {
            assert!(!is_credential(name), "{name}");
        }
    }

    #[test]
    fn whatever_the_producer_hides_by_its_name_is_hidden_here() {
        let names = [
            "api-key",
            "authorization",
            "access_token",
            "refresh_token",
            "id_token",
            "client_secret",
            "private_key",
            "secretAccessKey",
            "aws_session_token",
            "x-amz-security-token",
            "password",
            "passwd",
        ];
        let redaction = opstream_producer::Redaction::builtin();
        for name in names {
            let redacted = redaction.redact(&json!({name: "x"}).to_string()).unwrap();
            assert_eq!(
                serde_json::from_str::<Json>(&redacted).unwrap(),
                json!({name: without_credentials(name, json!("x"))})
            );
        }
    }

    #[test]
    fn values_are_replaced_at_any_depth() {
        let given =
            json!([{"extra_body": [{"api_key": {"value": "sk"}, "n": 1}], "password": 7, "is": {"api_key": true}}]);
        let expected =
            json!([{"extra_body": [{"api_key": MARKER, "n": 1}], "password": MARKER, "is": {"api_key": true}}]);
        assert_eq!(without_credentials("more", given.clone()), expected);
        let within = without_credentials("more", json!(json!({"arguments": given.to_string()}).to_string()));
        assert_eq!(within, json!(json!({"arguments": expected.to_string()}).to_string()));
        let clean = json!("{ \"left\":  \"as it is\" }");
        assert_eq!(without_credentials("more", clean.clone()), clean);
    }
}

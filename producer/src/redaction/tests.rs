//! The rules as a whole: JSON and text, patterns, hook, and what holds for any text.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

#[test]
fn names_of_secrets_hide_their_texts_wherever_they_stand() {
    let redaction = Redaction::builtin();
    let given = json!({
        "headers": {"X-Api-Key": "k", "authorization": ["Basic a", {"password": "b"}], "accept": "json"},
        "arguments": r#"{"password": "p", "deep": "{\"api_key\": \"q\"}"}"#,
        "properties": {"api_key": {"type": "string", "description": "the key"}},
        "max_tokens": 5, "apiKey": null, "client_secret": "",
    });
    let expected = json!({
        "headers": {"X-Api-Key": "[redacted secret]",
            "authorization": ["[redacted secret]", {"password": "[redacted secret]"}], "accept": "json"},
        "arguments": r#"{"deep":"{\"api_key\":\"[redacted secret]\"}","password":"[redacted secret]"}"#,
        "properties": {"api_key": {"type": "string", "description": "the key"}},
        "max_tokens": 5, "apiKey": null, "client_secret": "",
    });
    let redacted = redaction.redact(&given.to_string()).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&redacted).unwrap(), expected);
}

#[test]
fn json_that_is_cut_off_is_searched_as_text() {
    let redacted = Redaction::builtin().redact(r#"[{"x-api-key": "8sGq0b2x9Lk3", "a": "b"#);
    assert_eq!(redacted.as_deref(), Some(r#"[{"x-api-key": "[redacted token]", "a": "b"#));
}

#[test]
fn json_is_written_anew_only_where_something_was_found() {
    let redaction = Redaction::builtin();
    assert_eq!(redaction.redact(r#"{ "b": 1.50, "a": "clean" }"#), None);
    let found = redaction.redact(r#"{ "b": 18446744073709551615, "password": "p" }"#);
    assert_eq!(found.as_deref(), Some(r#"{"b":18446744073709551615,"password":"[redacted secret]"}"#));
}

#[test]
fn patterns_see_texts_without_the_escapes_of_json() {
    let redaction = Redaction::empty().pattern("name", "^José$").unwrap();
    let redacted = redaction.redact(r#"["Jos\u00e9", "José and Ana"]"#);
    assert_eq!(redacted.as_deref(), Some(r#"["[redacted name]","José and Ana"]"#));
}

#[test]
fn of_a_pattern_with_a_secret_the_secret_alone_is_replaced() {
    let redaction = Redaction::empty().pattern("pin", r"PIN (?P<secret>\d{4})(?P<rest>,|$)").unwrap();
    assert_eq!(redaction.redact("PIN 1234, PIN 5678").as_deref(), Some("PIN [redacted pin], PIN [redacted pin]"));
}

#[test]
fn without_the_built_in_rules_only_the_callers_count() {
    let redaction = Redaction::empty().pattern("name", "Ana").unwrap();
    let text = format!("{} is a key, data:image/png;base64,AAAA a picture", ["sk", &"a1".repeat(16)].join("-"));
    assert_eq!(redaction.redact(&text), None);
    assert_eq!(redaction.redact(r#"{"password": "p", "bytes": "AAAAAAAAAAAAAAAAAAAA"}"#), None);
    assert_eq!(redaction.redact("Ana").as_deref(), Some("[redacted name]"));
}

#[test]
fn a_hook_sees_each_text_after_the_patterns_and_has_the_last_word() {
    let hook = |field: &str, text: &str| (text != "keep").then(|| format!("{field}: {text}"));
    let redaction = Redaction::empty().pattern("name", "Ana").unwrap().hook(hook);
    let redacted = redaction.redact(r#"["Ana", "keep", {"a": "b"}]"#);
    assert_eq!(redacted.as_deref(), Some(r#"["text: [redacted name]","keep",{"a":"text: b"}]"#));
    assert_eq!(Redaction::empty().hook(|_, text| Some(text.to_owned())).redact("same"), None);
}

#[test]
fn a_pattern_that_is_none_is_refused_by_its_name() {
    let error = Redaction::builtin().pattern("broken", "(").unwrap_err();
    assert!(error.to_string().starts_with("pattern \"broken\" cannot be used: "), "{error}");
    let error = Redaction::empty().pattern("huge", r"\w{1000}{1000}").unwrap_err();
    assert!(error.reason.contains("size"), "{error}");
}

#[test]
fn debug_output_names_the_patterns() {
    let redaction = Redaction::empty().pattern("name", "Ana").unwrap().hook(|_, _| None);
    let expected = r#"Redaction { patterns: ["[redacted name]"], is_builtin: false, has_hook: true }"#;
    assert_eq!(format!("{redaction:?}"), expected);
}

/// Pieces of texts in which there is something to find, and something to trip over.
fn any_text() -> impl Strategy<Value = String> {
    let key = ["sk", &"aB3dE6gH9j".repeat(3)].join("-");
    let pieces = vec![
        key.clone(),
        format!("Authorization: Bearer {key}"),
        "\"api_key\": \"8sGq0b2x9Lk3\"".to_owned(),
        "data:image/png;base64,iVBORw0KGgoAAAA".to_owned(),
        "postgres://user:p4ss@db/x".to_owned(),
        "{\"password\": \"".to_owned(),
        "[redacted ".to_owned(),
        "\\\"".to_owned(),
        "\"}".to_owned(),
        "aB3+".repeat(130),
    ];
    prop::collection::vec(prop_oneof![prop::sample::select(pieces), "\\PC{0,12}", "[\\[\\]{}\":, a1]{0,12}"], 0..8)
        .prop_map(|pieces| pieces.concat())
}

/// Of texts that hold something, nearly hold it or hide it: JSON in JSON with escapes of any kind.
fn any_hiding_text() -> impl Strategy<Value = String> {
    let names = [
        "password",
        "X-Api-Key",
        "apiKey",
        "id_token",
        "to_ken",
        "data",
        "bytes",
        "delta",
        "content",
        "type",
        "file_data",
    ];
    let names = names.map(|name| format!("\"{name}\": \"aB3dE6gH9jaB3dE6gH9j\""));
    let texts = [
        "api_key\n= '8sGq0b2x9Lk3'",
        "Bearer\t8sGq0b2x9Lk3",
        "\"type\": \"blob\"",
        "x://a:b@c",
        "AB3+\r\n",
        "\n",
        "ask-",
    ];
    let payload = format!("/9j/{}", "aB3+".repeat(20));
    let pieces = secrets::tests::examples().into_values().chain(names).chain(texts.map(str::to_owned)).chain([payload]);
    let pieces = prop_oneof![prop::sample::select(pieces.collect::<Vec<_>>()), any_text(), "[ a-z]{0,9}"];
    let escaped = (prop::collection::vec(pieces, 1..4), 0..4_usize, 0..40_usize);
    escaped.prop_map(|(pieces, levels, escape)| {
        let text = pieces.join(" ");
        (0..levels).fold(text, |text, level| {
            let escapes = json!(if level == 0 { format!("{{{text}}}") } else { text }).to_string();
            // JSON may write any character by its number, and a slash behind a backslash.
            let hidden = escapes.char_indices().nth(escape).filter(|(_, letter)| letter.is_ascii_alphanumeric());
            match hidden {
                Some((at, letter)) if !escapes[..at].ends_with('\\') => {
                    format!("[{}\\u{:04x}{}]", &escapes[..at], u32::from(letter), &escapes[at + 1..])
                }
                _ => format!("{{\"a\":{}}}", escapes.replace('/', "\\/")),
            }
        })
    })
}

proptest! {
    #[test]
    fn what_the_prefilter_lets_pass_holds_nothing(text in any_hiding_text()) {
        let pass = Pass { redaction: &BUILTIN, field: "text" };
        for text in [text.as_str(), text.trim_matches(['{', '}'])] {
            if !prefilter::may_hold(text) {
                prop_assert_eq!(json::redact(&pass, text, JSON_LEVELS), None, "{}", text);
            }
        }
    }

    #[test]
    fn redacting_twice_changes_nothing_more(text in any_text(), is_json in any::<bool>()) {
        let text = if is_json { json!([{"content": text}]).to_string() } else { text };
        if let Some(once) = Redaction::builtin().redact(&text) {
            prop_assert_eq!(Redaction::builtin().redact(&once), None, "{}", once);
        }
    }

    #[test]
    fn json_stays_json(text in any_text(), name in "[a-zA-Z_]{0,12}") {
        let given = json!({"parts": [{"type": "text", "content": text}], name: text}).to_string();
        if let Some(redacted) = Redaction::builtin().redact(&given) {
            prop_assert!(serde_json::from_str::<Value>(&redacted).is_ok(), "{redacted}");
        }
    }

    #[test]
    fn a_key_is_found_wherever_it_stands(before in "[^A-Za-z0-9_-]{0,20}", behind in "[^A-Za-z0-9_-]{0,20}", is_json in any::<bool>()) {
        let key = ["sk", &"aB3dE6gH9j".repeat(3)].join("-");
        let text = format!("{before}{key}{behind}");
        let text = if is_json { json!({"a": [text]}).to_string() } else { text };
        let redacted = Redaction::builtin().redact(&text).unwrap_or(text);
        prop_assert!(!redacted.contains(&key), "{redacted}");
    }
}

//! Says in the words of those who send JSON what a parser says in its own. Pure.

/// What a parser expects, and what it is called in JSON.
const EXPECTED: [(&str, &str); 12] = [
    ("i64", "a whole number"),
    ("i32", "a whole number"),
    ("u64", "a whole number, 0 or more"),
    ("u32", "a whole number, 0 or more"),
    ("f64", "a number"),
    ("a boolean", "true or false"),
    ("a string", "text"),
    ("a borrowed string", "text"),
    ("a sequence", "a list"),
    ("a map", "an object"),
    ("struct Operation", "an operation as a JSON object"),
    ("unit", "null"),
];
/// How a parser begins to name what it found, and what that is called in JSON.
const FOUND: [(&str, &str); 7] = [
    ("string ", "the text "),
    ("integer ", "the number "),
    ("floating point ", "the number "),
    ("boolean ", ""),
    ("unit value", "null"),
    ("sequence", "a list"),
    ("map", "an object"),
];
/// What a parser says of text that is no JSON.
const SYNTAX: [(&str, &str); 2] =
    [("expected ident", "expected null, true, false or a text in quotes"), ("EOF while parsing", "it ends within")];

/// Why a value is not one of its field.
pub(super) fn of_value(reason: &str) -> String {
    let kind = ["invalid type: ", "invalid value: "].iter().find_map(|kind| reason.strip_prefix(kind));
    let Some((found, expected)) = kind.and_then(|kind| kind.rsplit_once(", expected ")) else {
        return reason.to_owned();
    };
    let expected = EXPECTED.iter().find(|(theirs, _)| *theirs == expected).map_or(expected, |(_, ours)| ours);
    let found = replaced_start(found, &FOUND);
    format!("expected {expected}, not {found}")
}

/// Why a text is no JSON.
pub(super) fn of_syntax(reason: &str) -> String {
    replaced_start(reason, &SYNTAX)
}

fn replaced_start(text: &str, words: &[(&str, &str)]) -> String {
    let replaced = words.iter().find_map(|(theirs, ours)| Some(format!("{ours}{}", text.strip_prefix(theirs)?)));
    replaced.unwrap_or_else(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use opstream_schemas::Operation;

    use super::*;

    fn said(json: &str) -> String {
        let error = serde_json::from_str::<Operation>(json).unwrap_err().to_string();
        of_value(error.rsplit_once(" at line ").unwrap().0)
    }

    #[test]
    fn what_is_expected_is_named_as_json_names_it() {
        for (json, expected) in [
            (r#"{"input_tokens": "3"}"#, r#"expected a whole number, not the text "3""#),
            (r#"{"input_tokens": 1.5}"#, "expected a whole number, not the number `1.5`"),
            (
                r#"{"input_tokens": 10000000000000000000}"#,
                "expected a whole number, not the number `10000000000000000000`",
            ),
            (r#"{"finish_reasons": "stop"}"#, r#"expected a list, not the text "stop""#),
            (r#"{"tags": []}"#, "expected an object, not a list"),
            (r#"{"tags": {"a": null}}"#, "expected text, not null"),
            (r#"{"model": {}}"#, "expected text, not an object"),
            (r#"{"success": "yes, expected a map"}"#, r#"expected true or false, not the text "yes, expected a map""#),
            (r#"{"model": true}"#, "expected text, not `true`"),
        ] {
            assert_eq!(said(json), expected);
        }
    }

    #[test]
    fn no_field_is_refused_in_words_of_the_parser() {
        let schema: serde_json::Value = serde_json::from_str(opstream_schemas::avro::OPERATION_V1).unwrap();
        for field in schema["fields"].as_array().unwrap() {
            for value in ["[[]]", "{\"a\": []}", "true", "-1.5", "\"?\""] {
                let json = format!("{{{}: {value}}}", field["name"]);
                let Err(error) = serde_json::from_str::<Operation>(&json) else { continue };
                let said = of_value(error.to_string().rsplit_once(" at line ").unwrap().0);
                for jargon in
                    ["i64", "i32", "u64", "f64", "sequence", "a map", "string", "invalid type", "floating", "struct"]
                {
                    assert!(!said.contains(jargon), "{json}: {said}");
                }
            }
        }
    }

    #[test]
    fn text_that_is_no_json_is_told_where_it_stops() {
        assert_eq!(of_syntax("EOF while parsing an object at column 8"), "it ends within an object at column 8");
        assert_eq!(of_syntax("expected value at column 1"), "expected value at column 1");
    }
}

//! Whether a text may hold anything that the built-in rules replace: one pass over it as it stands, instead of a walk through its
//! JSON. Most texts hold nothing, and every call of an application waits for this.
//!
//! It may be wrong in one direction alone: what it lets pass, the rules would leave as it is.

use std::sync::LazyLock;

use regex::bytes::Regex;

/// The shortest base64 that is a payload wherever it stands.
const SHORTEST_PAYLOAD: usize = 64;

/// What every finding has, also in JSON whose strings are not unescaped yet: an escape that could hide a letter is one.
static SUSPICIOUS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = concat!(
        r"(?s-u)",
        // A word begins at its boundary, or behind an escape such as `\n`.
        r"(?:\b|\\[bfnrt])(?:sk-|[sp]k-lf-|AIza|ya29\.|xai-|gsk_|hf_|pplx-|nvapi-|r8_|fw_|csk-|tvly-|lsv2_|AKIA|ASIA|ABIA|ACCA|",
        r"bedrock-api-key-|ABSK|gh[pousr]_|github_pat_|xox[abeprs]-|[rs]k_(?:live|test)_|eyJ)",
        r"|-----BEGIN ",
        r"|://[^/\s@?#]*@",
        r"|(?i:bearer)[\s\\]",
        // Names of secrets, in JSON and in text.
        r#"|(?i:key|token|secret|authorization|passw(?:or)?d)(?:["'\\]|\s*[:=])"#,
        // Names of payloads.
        r#"|(?i:base64)|b64|(?:bytes|[Dd]ata|delta|blob)["\\]"#,
        r"|\\[u/]",
    );
    Regex::new(pattern).expect("the pattern is tested")
});

/// Whether the built-in rules may find something in the text.
pub(super) fn may_hold(text: &str) -> bool {
    has_long_word(text.as_bytes()) || SUSPICIOUS.is_match(text.as_bytes())
}

/// Whether so many characters of base64 follow each other, line breaks and their escapes between them.
fn has_long_word(text: &[u8]) -> bool {
    // A run of this length holds a byte at one of these places.
    let mut place = SHORTEST_PAYLOAD - 1;
    while let Some(ahead) = text.get(place..) {
        let behind = text[..place].iter().rev().take_while(|byte| is_of_base64(**byte)).count();
        let ahead = ahead.iter().take_while(|byte| is_of_base64(**byte)).count();
        if ahead > 0 && behind + ahead >= SHORTEST_PAYLOAD {
            return true;
        }
        place += SHORTEST_PAYLOAD;
    }
    false
}

fn is_of_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'\r' | b'\n' | b'\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_texts_need_no_walk() {
        for text in [
            "Where is the parcel with the blue shoes that I ordered last week? The task-force keeps the keys and tokens.",
            r#"[{"role":"user","content":"See https://example.com/a?b=c#d:\n\t\"the lock\", its key and the data."}]"#,
            r#"{"temperature":0.2,"max_tokens":1024}"#,
            "",
        ] {
            assert!(!may_hold(text), "{text}");
        }
    }

    #[test]
    fn a_long_word_is_found_wherever_it_begins() {
        for begin in 0..200 {
            let text = |length: usize| format!("{}{} b", "a ".repeat(begin), "x".repeat(length));
            assert!(has_long_word(text(SHORTEST_PAYLOAD).as_bytes()), "{begin}");
            assert!(!has_long_word(text(SHORTEST_PAYLOAD - 1).as_bytes()), "{begin}");
        }
    }
}

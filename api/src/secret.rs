//! A token that is compared in constant time and never printed.

use std::fmt;

use subtle::ConstantTimeEq;

/// Fewest characters of a token: 16 random hex digits are beyond guessing over a network.
const MIN_TOKEN_CHARACTERS: usize = 16;
/// Most characters of a token; longer ones do not fit every client's header limit.
const MAX_TOKEN_CHARACTERS: usize = 1024;

/// A bearer token.
#[derive(Clone)]
pub struct Secret(String);

/// A text that cannot serve as a token. The text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the token has {characters} usable characters; expected {MIN_TOKEN_CHARACTERS} to {MAX_TOKEN_CHARACTERS} visible ASCII \
     characters without spaces, such as the output of `openssl rand -hex 32`"
)]
pub struct SecretError {
    characters: usize,
}

impl Secret {
    /// Takes a token; white space around it, such as a file's last line end, is dropped.
    ///
    /// # Errors
    /// When it is too short, too long, or has characters that an HTTP header cannot carry.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let token = text.trim();
        let characters = token.chars().take_while(char::is_ascii_graphic).count();
        if characters != token.len() || !(MIN_TOKEN_CHARACTERS..=MAX_TOKEN_CHARACTERS).contains(&characters) {
            return Err(SecretError { characters });
        }
        Ok(Self(token.to_owned()))
    }

    /// Whether `candidate` is the token. Takes the same time wherever the two differ; only the length can be learnt.
    pub fn matches(&self, candidate: &str) -> bool {
        self.0.as_bytes().ct_eq(candidate.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_trimmed_compared_whole_and_never_printed() {
        let secret = Secret::new("0123456789abcdef0123\n").unwrap();
        assert!(secret.matches("0123456789abcdef0123"));
        assert!(!secret.matches("0123456789abcdef0124"));
        assert!(!secret.matches("0123456789abcdef"));
        assert!(!format!("{secret:?}").contains("0123"));
    }

    #[test]
    fn a_token_that_is_guessable_or_unsendable_is_refused_without_repeating_it() {
        for text in ["", "short", "with a space in the middle", &"x".repeat(2000), "ümlautümlautümlaut"] {
            let error = Secret::new(text).unwrap_err().to_string();
            assert!(error.contains("openssl rand"), "{error}");
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
    }
}

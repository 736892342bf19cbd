//! Finds the token in the Authorization header.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Secret;

/// Whether the request carries the token: as a bearer token, or where `allow_basic` as the password of any user.
pub(super) fn presents(headers: &HeaderMap, token: &Secret, allow_basic: bool) -> bool {
    let Some(value) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else { return false };
    let Some((scheme, credentials)) = value.split_once(' ') else { return false };
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return token.matches(credentials);
    }
    allow_basic
        && scheme.eq_ignore_ascii_case("basic")
        && password_of(credentials).is_some_and(|password| token.matches(&password))
}

fn password_of(credentials: &str) -> Option<String> {
    let user_and_password = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    user_and_password.split_once(':').map(|(_, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(value: &str) -> HeaderMap {
        [(AUTHORIZATION, value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn only_the_whole_token_opens() {
        let token = Secret::new("0123456789abcdef").unwrap();
        assert!(presents(&headers("Bearer 0123456789abcdef"), &token, false));
        assert!(presents(&headers("bearer  0123456789abcdef"), &token, false));
        for value in ["Bearer", "Bearer 0123456789abcde", "0123456789abcdef", "Token 0123456789abcdef", "Bearer "] {
            assert!(!presents(&headers(value), &token, true), "{value}");
        }
        assert!(!presents(&HeaderMap::new(), &token, true));
    }

    #[test]
    fn a_registry_client_sends_it_as_its_password() {
        let token = Secret::new("0123456789abcdef").unwrap();
        let basic = format!("Basic {}", STANDARD.encode("anybody:0123456789abcdef"));
        assert!(presents(&headers(&basic), &token, true));
        assert!(!presents(&headers(&basic), &token, false));
        let wrong = format!("Basic {}", STANDARD.encode("0123456789abcdef:anybody"));
        assert!(!presents(&headers(&wrong), &token, true));
        assert!(!presents(&headers("Basic %%%"), &token, true));
    }
}

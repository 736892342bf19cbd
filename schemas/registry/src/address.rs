//! Where a registry is, and the credentials that it asks for. Neither is ever shown together with the other.

use std::fmt;

use url::{Host, Url};

/// Address of a registry. `Debug` and `Display` leave out its credentials.
#[derive(Clone)]
pub struct RegistryAddress {
    pub(crate) base: Url,
    pub(crate) credentials: Option<Credentials>,
}

/// Who asks.
#[derive(Clone)]
pub(crate) enum Credentials {
    Basic { user: String, password: String },
    Bearer { token: String },
}

/// An address that cannot be used. The text never repeats credentials.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum AddressError {
    /// No address on the web.
    #[error("it is no address such as https://registry.example:8081: {reason}")]
    NotUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// Neither `user:password` nor a token.
    #[error("the credentials are neither USER:PASSWORD nor a token, in one line of visible characters")]
    Credentials,
    /// Credentials stand in the address too.
    #[error("credentials are given twice, in the address and beside it; leave one out")]
    TwoCredentials,
}

impl RegistryAddress {
    /// Reads an address, which may have a path and, as `https://user:password@host`, credentials.
    ///
    /// # Errors
    /// When it is no `http` or `https` address, or has a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let not_url = |reason: String| AddressError::NotUrl { reason };
        let mut base = Url::parse(text.trim()).map_err(|error| not_url(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            // The text before the colon may be a user's name, if the scheme was forgotten.
            return Err(not_url("it begins with neither http:// nor https://".to_owned()));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(not_url("it has a ? or a #".to_owned()));
        }
        // A base without its last slash would lose its last segment when a path is joined to it.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        Ok(Self { base, credentials: None })
    }

    /// The same with these credentials: `user:password`, else a token.
    ///
    /// # Errors
    /// When they are empty, have spaces or control characters, or stand in the address already.
    pub fn with_credentials(self, text: &str) -> Result<Self, AddressError> {
        if !self.base.username().is_empty() || self.base.password().is_some() {
            return Err(AddressError::TwoCredentials);
        }
        let text = text.trim();
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(AddressError::Credentials);
        }
        let credentials = match text.split_once(':') {
            Some((user, password)) => Credentials::Basic { user: user.to_owned(), password: password.to_owned() },
            None if text.is_ascii() => Credentials::Bearer { token: text.to_owned() },
            None => return Err(AddressError::Credentials),
        };
        Ok(Self { credentials: Some(credentials), ..self })
    }

    /// Whether it is on this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.base.host() {
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }
}

impl fmt::Display for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.base.clone();
        // Both only fail for addresses without a host, which `http` has.
        shown.set_username("").ok();
        shown.set_password(None).ok();
        write!(f, "{}", shown.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for RegistryAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistryAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_never_shown() {
        let inside = RegistryAddress::parse("https://me:hunter2@registry.example/apis/ccompat/v7").unwrap();
        let beside = RegistryAddress::parse("http://127.0.0.1:8081").unwrap().with_credentials("me:hunter2\n").unwrap();
        for address in [&inside, &beside] {
            assert!(!format!("{address} {address:?}").contains("hunter2"), "{address:?}");
        }
        assert_eq!(inside.to_string(), "https://registry.example/apis/ccompat/v7");
        let twice = inside.with_credentials("token").unwrap_err();
        assert_eq!(twice, AddressError::TwoCredentials);
        for wrong in ["registry.example:8081", "me:hunter2@host", "ftp://h", "http://h?password=hunter2", ""] {
            let error = RegistryAddress::parse(wrong).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        for wrong in ["", " ", "two words", "nul\0", "schlüssel"] {
            assert_eq!(
                RegistryAddress::parse("http://h").unwrap().with_credentials(wrong).unwrap_err(),
                AddressError::Credentials
            );
        }
    }
}

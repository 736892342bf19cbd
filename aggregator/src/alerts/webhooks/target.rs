//! The webhooks of a deployment, checked before anything is called.

use std::fmt;

use url::{Host, Url};

use super::address::PrivateAddresses;

/// Shortest secret, bytes.
const MIN_SECRET: usize = 16;

/// What signs calls. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Vec<u8>);

/// What a webhook is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The alert as JSON, signed.
    Json,
    /// A sentence, as receivers take it that are compatible with Slack's incoming webhooks.
    Slack,
}

/// Where alerts are sent. Its address is never shown: whoever knows that of a chat's webhook may write there.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub(super) name: String,
    pub(super) url: Url,
    pub(super) format: Format,
}

/// All webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Webhooks {
    pub(super) targets: Vec<Target>,
    pub(super) secret: Option<SigningSecret>,
    pub(super) private: PrivateAddresses,
}

/// Webhooks that are not usable. The text repeats no address.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TargetError {
    /// Not `NAME=URL`.
    #[error("a webhook is no NAME=URL, or its name has other characters than a-z, A-Z, 0-9, '.', '_' and '-'")]
    Form,
    /// Two of one name.
    #[error("webhook {name} is given twice")]
    Twice {
        /// The name.
        name: String,
    },
    /// An address that is none, or of something else.
    #[error("the address of webhook {name} {reason}")]
    Address {
        /// The name.
        name: String,
        /// What is wrong.
        reason: &'static str,
    },
    /// A host that nobody allowed.
    #[error("the host of webhook {name} is not among those that are allowed")]
    NotAllowed {
        /// The name.
        name: String,
    },
    /// Nothing to sign with.
    #[error("webhook {name} needs a secret to sign with")]
    NoSecret {
        /// The name.
        name: String,
    },
    /// A secret that could be guessed.
    #[error("the secret of the webhooks has fewer than {MIN_SECRET} bytes")]
    ShortSecret,
}

impl SigningSecret {
    /// Takes a secret.
    ///
    /// # Errors
    /// When it has fewer than 16 bytes.
    pub fn new(secret: &str) -> Result<Self, TargetError> {
        if secret.len() < MIN_SECRET {
            return Err(TargetError::ShortSecret);
        }
        Ok(Self(secret.as_bytes().to_vec()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Target {
    /// Reads `NAME=URL`, or `NAME=slack+URL` for a receiver that is compatible with Slack.
    ///
    /// # Errors
    /// When it has another form, or the address is none of HTTP.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let (name, address) = text.split_once('=').ok_or(TargetError::Form)?;
        let name = name.trim();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if name.is_empty() || name.len() > 100 || !name.chars().all(is_allowed) {
            return Err(TargetError::Form);
        }
        let (format, address) = match address.trim().strip_prefix("slack+") {
            Some(address) => (Format::Slack, address),
            None => (Format::Json, address.trim()),
        };
        let wrong = |reason| TargetError::Address { name: name.to_owned(), reason };
        let url = Url::parse(address).map_err(|_| wrong("is no URL"))?;
        if !matches!(url.scheme(), "https" | "http") || url.host().is_none() {
            return Err(wrong("is neither https:// nor http://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("has a user or password, which are not sent"));
        }
        Ok(Self { name: name.to_owned(), url, format })
    }

    /// The host as it is looked up.
    pub(super) fn host(&self) -> Host<&str> {
        self.url.host().unwrap_or(Host::Domain(""))
    }
}

impl Webhooks {
    /// All webhooks together. `allowed` are the hosts that may be called.
    ///
    /// # Errors
    /// When two have one name, a host is not allowed, one without encryption is called outside, or nothing can be signed.
    pub fn new(
        targets: Vec<Target>,
        allowed: &[String],
        secret: Option<SigningSecret>,
        private: PrivateAddresses,
    ) -> Result<Self, TargetError> {
        for (place, target) in targets.iter().enumerate() {
            let name = || target.name.clone();
            if targets[..place].iter().any(|other| other.name == target.name) {
                return Err(TargetError::Twice { name: name() });
            }
            if !allowed.iter().any(|host| is_same_host(host, &target.host())) {
                return Err(TargetError::NotAllowed { name: name() });
            }
            if target.url.scheme() != "https" && private == PrivateAddresses::Refused {
                let reason = "is not https://, which only private addresses need not be, where they are allowed";
                return Err(TargetError::Address { name: name(), reason });
            }
            if target.format == Format::Json && secret.is_none() {
                return Err(TargetError::NoSecret { name: name() });
            }
        }
        Ok(Self { targets, secret, private })
    }

    /// Their names.
    pub fn names(&self) -> Vec<String> {
        self.targets.iter().map(|target| target.name.clone()).collect()
    }
}

/// Compares a host that was allowed with that of an address, each as an address has it.
fn is_same_host(allowed: &str, host: &Host<&str>) -> bool {
    match Host::parse(allowed.trim()) {
        Ok(Host::Domain(name)) => {
            matches!(host, Host::Domain(other) if name.trim_end_matches('.') == other.trim_end_matches('.'))
        }
        Ok(Host::Ipv4(address)) => matches!(host, Host::Ipv4(other) if *other == address),
        Ok(Host::Ipv6(address)) => matches!(host, Host::Ipv6(other) if *other == address),
        Err(_) => false,
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target").field("name", &self.name).field("format", &self.format).finish_non_exhaustive()
    }
}

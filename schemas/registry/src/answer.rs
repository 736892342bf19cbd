//! A registry's answer: its JSON, or what its status and its error code ask for.

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::RegistryError;

/// Largest answer that is read: a schema of ours has 15 kB.
const MAX_ANSWER_BYTES: usize = 4 << 20;
/// How much of a registry's words is repeated.
const SHOWN_CHARS: usize = 300;

/// What was asked, for messages.
pub(crate) struct Question<'a> {
    pub(crate) registry: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) what: &'a str,
}

/// The protocol's errors.
#[derive(Deserialize)]
struct ErrorBody {
    error_code: u32,
    #[serde(default)]
    message: String,
}

impl Question<'_> {
    /// Takes the answer apart.
    ///
    /// # Errors
    /// Whatever is not a success of the protocol.
    pub(crate) async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, RegistryError> {
        let status = response.status();
        let body = self.body(response).await?;
        if !status.is_success() {
            return Err(self.refusal(status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| self.not_registry(format!("{error} in {}", excerpt(&body))))
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, RegistryError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unavailable(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(self.not_registry(format!("an answer of more than {MAX_ANSWER_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> RegistryError {
        let error = serde_json::from_slice::<ErrorBody>(body).ok();
        let message = error.as_ref().map_or_else(|| excerpt(body), |error| excerpt(error.message.as_bytes()));
        let registry = self.registry.to_owned();
        match (status, error) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, _) => {
                RegistryError::NotAllowed { registry, status: status.as_u16() }
            }
            (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS, _) => {
                RegistryError::Unavailable { registry, reason: format!("{status} {message}") }
            }
            (status, _) if status.is_server_error() => {
                RegistryError::Unavailable { registry, reason: format!("{status} {message}") }
            }
            // 404 without a code of the protocol is somebody's wrong path.
            (StatusCode::NOT_FOUND, Some(ErrorBody { error_code: 40_401..=40_499, .. })) => {
                RegistryError::NotFound { registry, what: self.what.to_owned() }
            }
            (StatusCode::CONFLICT, Some(_)) => {
                RegistryError::Incompatible { registry, subject: self.subject.to_owned(), message }
            }
            (status, Some(error)) if error.error_code != 404 => {
                RegistryError::Refused { registry, what: self.what.to_owned(), status: status.as_u16(), message }
            }
            (status, _) => self.not_registry(format!("{status} {message}")),
        }
    }

    /// The error of a request that was not answered.
    pub(crate) fn unavailable(&self, error: &reqwest::Error) -> RegistryError {
        RegistryError::Unavailable { registry: self.registry.to_owned(), reason: innermost(error) }
    }

    fn not_registry(&self, reason: String) -> RegistryError {
        RegistryError::NotRegistry { registry: self.registry.to_owned(), what: self.what.to_owned(), reason }
    }
}

/// The innermost reason is the one that helps ("connection refused"), and unlike the outermost it does not repeat the address.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn excerpt(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN_CHARS).collect()
}

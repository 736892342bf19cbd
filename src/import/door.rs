//! The front door as an import sees it: look ids up, hand operations over, ask how far the pipeline is.
//!
//! Every question is repeated until it is answered, because an operation keeps its id and a re-send is harmless. It
//! gives up when the address has not answered for five minutes; nothing is lost then, and a second run continues.

mod answers;
mod error;
mod retry;

use std::path::Path;
use std::time::Duration;

use opstream_schemas::OperationId;
use reqwest::header::CONTENT_TYPE;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

pub(super) use self::answers::{Committed, PostAnswer, Progress};
use self::answers::{LookupAnswer, LookupQuestion};
pub(super) use self::error::DoorError;
use self::retry::{Pauses, is_busy, retry_after};
use super::display::Display;

/// Time to reach the address at all.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for one answer: the front door waits for the broker, which may be electing a leader.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(2);
/// How long an address that answered before may be away.
const GIVE_UP_AFTER: Duration = Duration::from_mins(5);
/// How much of an unexpected answer is shown.
const SHOWN_ANSWER_CHARS: usize = 300;

/// One running opstream. Clones share its connections.
#[derive(Clone)]
pub(super) struct Door {
    client: reqwest::Client,
    base: Url,
    token: Option<String>,
    display: Display,
    shutdown: CancellationToken,
}

impl Door {
    /// Prepares to talk to `url`; connects to nothing yet.
    ///
    /// # Errors
    /// `BadUrl` or `BadToken`.
    pub(super) fn open(
        url: &str,
        token_file: Option<&Path>,
        display: Display,
        shutdown: CancellationToken,
    ) -> Result<Self, DoorError> {
        let bad_url = |reason: String| DoorError::BadUrl { url: url.to_owned(), reason };
        let mut base = Url::parse(url).map_err(|error| bad_url(error.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(bad_url(format!("it begins with {}:", base.scheme())));
        }
        // A base without its last slash would lose its last segment when a path is joined to it.
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let token = token_file.map(read_token).transpose()?;
        let mut client = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(ANSWER_TIMEOUT);
        if is_loopback(&base) {
            // A company's proxy cannot reach this machine's own addresses.
            client = client.no_proxy();
        }
        let client = client.build().map_err(|error| bad_url(chain(&error)))?;
        Ok(Self { client, base, token, display, shutdown })
    }

    /// Makes sure that an opstream answers at the address, without patience when nobody listens there.
    ///
    /// # Errors
    /// `NotThere`, and those of [`Door::progress`].
    pub(super) async fn greet(&self) -> Result<(), DoorError> {
        let not_there = |error: reqwest::Error| DoorError::NotThere { base: self.base.clone(), reason: chain(&error) };
        self.get("v1/progress").send().await.map_err(not_there)?;
        self.progress().await.map(drop)
    }

    /// How far the pipeline is.
    ///
    /// # Errors
    /// `GaveUp`, `NotAllowed`, `Unexpected` or `Interrupted`.
    pub(super) async fn progress(&self) -> Result<Progress, DoorError> {
        let response = self.ask(|| self.get("v1/progress")).await?;
        self.read(response).await
    }

    /// Those of the ids, at most 1,000, that are committed already.
    ///
    /// # Errors
    /// Those of [`Door::progress`].
    pub(super) async fn existing(&self, ids: &[OperationId]) -> Result<Vec<OperationId>, DoorError> {
        let question = LookupQuestion { ids };
        let response = self.ask(|| self.post("v1/operations/lookup").json(&question)).await?;
        self.read::<LookupAnswer>(response).await.map(|answer| answer.existing)
    }

    /// Hands over operations, one JSON object per line, and waits until the broker has acknowledged them.
    ///
    /// # Errors
    /// `TooLarge`, `Miscounted`, and those of [`Door::progress`].
    pub(super) async fn post_operations(&self, lines: &[&str]) -> Result<PostAnswer, DoorError> {
        let body = lines.join("\n");
        let request = || {
            let request = self.post("v1/operations").header(CONTENT_TYPE, "application/x-ndjson");
            request.body(body.clone())
        };
        let response = self.ask(request).await?;
        let answer: PostAnswer = self.read(response).await?;
        let answered = answer.accepted.saturating_add(u64::try_from(answer.refused.len()).unwrap_or(u64::MAX));
        let is_complete = usize::try_from(answered) == Ok(lines.len())
            && answer.refused.iter().all(|refused| refused.index < lines.len());
        if !is_complete {
            return Err(DoorError::Miscounted { base: self.base.clone(), sent: lines.len(), answered });
        }
        Ok(answer)
    }

    /// Waits for something else, unless the command is interrupted.
    ///
    /// # Errors
    /// `Interrupted`.
    pub(super) async fn unless_interrupted<T>(&self, wait: impl Future<Output = T>) -> Result<T, DoorError> {
        tokio::select! {
            () = self.shutdown.cancelled() => Err(DoorError::Interrupted),
            result = wait => Ok(result),
        }
    }

    /// What the pipeline says about its own health, as text; empty when it says nothing.
    pub(super) async fn health(&self) -> String {
        match self.get("health/ready").send().await {
            Ok(response) => {
                let status = response.status();
                let body = response.text().await.unwrap_or_default();
                format!("{status} {}", excerpt(&body)).trim().to_owned()
            }
            Err(error) => chain(&error),
        }
    }

    /// Sends a request again and again until it is answered by something else than "not now".
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> Result<Response, DoorError> {
        let started = Instant::now();
        let mut pauses = Pauses::default();
        loop {
            let answer = self.unless_interrupted(request().send()).await?;
            let own_pause = pauses.next_pause();
            let (pause, reason) = match answer {
                Ok(response) if !is_busy(response.status()) => return Ok(response),
                Ok(response) => {
                    let status = response.status();
                    let pause = retry_after(response.headers(), opstream_schemas::UtcMillis::now());
                    let body = response.text().await.unwrap_or_default();
                    (pause.unwrap_or(own_pause), format!("{status} {}", excerpt(&body)).trim().to_owned())
                }
                Err(error) => (own_pause, chain(&error)),
            };
            let waited = started.elapsed();
            if waited + pause > GIVE_UP_AFTER {
                return Err(DoorError::GaveUp { base: self.base.clone(), seconds: waited.as_secs(), reason });
            }
            let seconds = pause.as_secs_f64();
            self.display.note(&format!("{} takes nothing now: {reason}; next attempt in {seconds:.1} s", self.base));
            self.unless_interrupted(tokio::time::sleep(pause)).await?;
        }
    }

    /// Takes the JSON out of an answer. A 400 or 422 may carry it too, when every operation was refused.
    async fn read<T: DeserializeOwned>(&self, response: Response) -> Result<T, DoorError> {
        let (status, url) = (response.status(), response.url().clone());
        match status {
            StatusCode::UNAUTHORIZED => return Err(DoorError::NotAllowed { base: self.base.clone() }),
            StatusCode::PAYLOAD_TOO_LARGE => return Err(DoorError::TooLarge { base: self.base.clone() }),
            _ => {}
        }
        let unexpected = |answer: &str| DoorError::Unexpected { url: url.clone(), status, answer: excerpt(answer) };
        let body = response.text().await.map_err(|error| unexpected(&chain(&error)))?;
        let carries_answer =
            status.is_success() || matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY);
        if !carries_answer {
            return Err(unexpected(&body));
        }
        serde_json::from_str(&body).map_err(|_| unexpected(&body))
    }

    fn get(&self, path: &str) -> RequestBuilder {
        self.authorised(self.client.get(self.at(path)))
    }

    fn post(&self, path: &str) -> RequestBuilder {
        self.authorised(self.client.post(self.at(path)))
    }

    fn at(&self, path: &str) -> Url {
        self.base.join(path).expect("our paths are plain relative paths")
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

fn read_token(path: &Path) -> Result<String, DoorError> {
    let bad_token = |reason: String| DoorError::BadToken { path: path.to_owned(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| bad_token(error.to_string()))?;
    let token = text.lines().next().unwrap_or_default().trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad_token("its first line is not a token of printable characters without spaces".to_owned()));
    }
    Ok(token.to_owned())
}

fn is_loopback(base: &Url) -> bool {
    match base.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// The innermost reason is the one that helps ("connection refused"), and reqwest's own text does not repeat it.
fn chain(error: &reqwest::Error) -> String {
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn excerpt(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(SHOWN_ANSWER_CHARS).collect()
}

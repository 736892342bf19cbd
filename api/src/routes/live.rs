//! `GET /v1/live`: operations as they come onto the topic, as server-sent events.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};

use crate::connections::LongLived;
use crate::error::ApiError;
use crate::live::{HubError, LiveFilter};
use crate::query::Parameters;
use crate::routes::openapi::{FilterParameters, LiveParameters, OpenFilterParameters};
use crate::state::Shared;

/// Operations a second that one reader is told: more nobody can look at.
const MOST_PER_SECOND: u32 = 200;
/// Has proxies pass on what there is.
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Operations as they come onto the topic, until the reader leaves: `text/event-stream`.
///
/// Events: `operation`, an operation under the names of `/v1/operations`, without content and without a cost; `rates`, once a second, what
/// the operations that are meant added up to; `skipped`, how many of them were not told; `windows`, that windows were changed;
/// `gap`, that operations may be missing. docs/live.md describes them. At most 64 readers may watch at a time.
#[utoipa::path(get, path = "/v1/live", tag = "operations", params(LiveParameters, FilterParameters, OpenFilterParameters),
    responses((status = 200, content_type = "text/event-stream", body = String),
        (status = 404, body = crate::error::ErrorAnswer, description = "The server writes operations to a file")))]
pub(crate) async fn live(State(state): State<Shared>, mut parameters: Parameters) -> Result<Response, ApiError> {
    let most = parameters.take_count("sample", MOST_PER_SECOND)?.unwrap_or(MOST_PER_SECOND);
    let filter = LiveFilter::read(&mut parameters)?;
    parameters.finish()?;
    let reader = state.live.watch(filter, most)?;
    let headers =
        [(CONTENT_TYPE, HeaderValue::from_static("text/event-stream")), (BUFFERING, HeaderValue::from_static("no"))];
    let mut response = (headers, Body::from_stream(reader.into_stream())).into_response();
    response.extensions_mut().insert(LongLived);
    Ok(response)
}

impl From<HubError> for ApiError {
    fn from(error: HubError) -> Self {
        let message = error.to_string();
        match error {
            HubError::NoTopic => Self::NotFound { message },
            HubError::Full => Self::Busy { message },
        }
    }
}

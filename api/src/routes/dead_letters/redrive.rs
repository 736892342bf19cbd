//! `POST /v1/dead-letters/redrive`: the work of `opstream dead-letters redrive` for letters that are named.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use opstream_schemas::UtcMillis;
use opstream_schemas::avro::OPERATION_V1_ID;
use opstream_schemas::validate::AcceptedTimes;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::dead_letters::redrive::{
    Meant, NoSuchLetter, OtherCluster, Outlet, OutletAddress, Rules, Settled, StoredLetters, send_page,
};
use crate::dead_letters::{Conditions, Place, Writers};
use crate::error::{ApiError, ErrorAnswer};
use crate::front_door::read_small_body;
use crate::state::Shared;

/// Most letters of a request.
const MAX_LETTERS: usize = 1000;
/// Far more than so many names have.
const MAX_BODY_BYTES: usize = 128 << 10;

/// Letters that are to be sent again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RedriveRequest {
    /// Their names, as `letter_id` of the list: 1 to 1000.
    letters: Vec<String>,
}

/// What became of them.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct RedriveAnswer {
    /// Letters that the broker has now.
    redriven: usize,
    /// Letters that were redriven before and are passed over.
    already_redriven: usize,
    /// Letters that the same checks would refuse again, and are not sent.
    refused: Vec<RefusedLetter>,
}

/// A letter that is not sent.
#[derive(Debug, Serialize, ToSchema)]
struct RefusedLetter {
    /// Its name.
    letter_id: String,
    /// Why.
    message: String,
}

/// Sends dead letters to the operations topic again, as they were, as `opstream dead-letters redrive` does: those that were redriven before
/// are passed over, those that the same checks would refuse again stay, and all must come from the cluster of this server. A second
/// request sends what the first did not; nothing counts twice.
#[utoipa::path(post, path = "/v1/dead-letters/redrive", tag = "operations", request_body = RedriveRequest,
    responses((status = 200, body = RedriveAnswer),
        (status = 404, body = ErrorAnswer, description = "One of them is no dead letter, or the server has no topic; nothing was sent"),
        (status = 409, body = ErrorAnswer, description = "`other_cluster`: one of them came from another cluster"),
        (status = 413, body = ErrorAnswer, description = "The body is too large")))]
pub(crate) async fn redrive(State(state): State<Shared>, body: Body) -> Result<Json<RedriveAnswer>, ApiError> {
    let places = read_places(&read_small_body(body, MAX_BODY_BYTES).await?)?;
    let Some(broker) = &state.broker else {
        let message = "this server writes operations to a file; there is no topic to send letters to".to_owned();
        return Err(ApiError::NotFound { message });
    };
    let Ok(_one_at_a_time) = state.redriving.try_lock() else {
        return Err(ApiError::Busy { message: "letters are being redriven; try again when that is done".to_owned() });
    };
    state.retention_floor.refresh(&state.database).await?;
    let accepted = AcceptedTimes::at(UtcMillis::now(), state.retention_floor.get());
    // Letters go as they were: nothing is written under the id.
    let rules = Rules { accepted, again: false, unchecked: false, schema_id: OPERATION_V1_ID };
    let meant = Meant { conditions: Conditions::of_places(&places), places: &places };
    let writers = Writers::of(state.schemas.clone());
    let mut letters = StoredLetters::choose(&state.database, meant, rules, writers).await.map_err(failed)?;
    let already_redriven = usize::try_from(letters.redriven_before).unwrap_or(0);
    let mut answer = RedriveAnswer { already_redriven, ..RedriveAnswer::default() };
    if letters.count == 0 {
        return Ok(Json(answer));
    }
    let address = OutletAddress {
        bootstrap: broker.bootstrap.clone(),
        named_by: "the broker of this server".to_owned(),
        properties: broker.properties.clone(),
        topic: broker.topics.operations(),
    };
    let outlet = Outlet::open(address, false).await.map_err(failed)?;
    loop {
        let page = letters.page(&state.database).await.map_err(failed)?;
        if page.is_empty() {
            return Ok(Json(answer));
        }
        let sent = send_page(&state.database, Some(&outlet), page).await.map_err(failed)?;
        for (letter_id, settled) in sent.settled {
            match settled {
                Settled::Sent => answer.redriven += 1,
                Settled::AlreadyRedriven => answer.already_redriven += 1,
                Settled::Refused { reason: message, .. } => answer.refused.push(RefusedLetter { letter_id, message }),
            }
        }
        if let Some(failure) = sent.failure {
            return Err(failed(failure));
        }
    }
}

fn read_places(body: &[u8]) -> Result<Vec<Place>, ApiError> {
    let wrong = |message: String| ApiError::invalid("invalid_letters", message.chars().take(500).collect::<String>());
    let RedriveRequest { letters } = serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))?;
    if letters.is_empty() || letters.len() > MAX_LETTERS {
        return Err(wrong(format!("field letters has {} names; 1 to {MAX_LETTERS} may be", letters.len())));
    }
    let mut places: Vec<Place> = letters
        .iter()
        .map(|name| name.parse::<Place>().map_err(|error| wrong(error.to_string())))
        .collect::<Result<_, _>>()?;
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

/// What the client is told of a redrive that did not come to its end. What was acknowledged until then is marked.
fn failed(error: anyhow::Error) -> ApiError {
    if let Some(missing) = error.downcast_ref::<NoSuchLetter>() {
        return missing.into();
    }
    if let Some(other) = error.downcast_ref::<OtherCluster>() {
        return ApiError::Conflict { code: "other_cluster", message: other.to_string() };
    }
    match error.downcast::<sqlx::Error>() {
        Ok(error) => error.into(),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "dead letters could not be redriven to the end");
            let message =
                "the broker or the schema registry does not answer; what was sent is marked, try again with the rest";
            ApiError::Busy { message: message.to_owned() }
        }
    }
}

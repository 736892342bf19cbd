//! The one error of the handlers, and its JSON.
//!
//! Every answer that is not a success has `{"error": {"code", "message"}}`: the code is stable, the message names the
//! thing and the way out. What went wrong inside stays in the log.

use axum::Json;
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use sqlx::error::DatabaseError;
use sqlx::sqlite::SqliteError;
use utoipa::ToSchema;

use crate::front_door::UnknownPacking;
use crate::scan::Refusal;

/// Why a request is not answered with what it asked for. Each variant asks the client for a different reaction.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// Change the request: something in it is malformed or not allowed.
    #[error("{message}")]
    Invalid {
        /// Stable code.
        code: &'static str,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// Send the token.
    #[error("this server asks for a token: send the header `authorization: Bearer TOKEN`")]
    Unauthorized {
        /// Value of the `www-authenticate` header.
        challenge: &'static str,
    },
    /// Come from elsewhere: the request is one that a foreign web page could have caused.
    #[error("{message}")]
    Forbidden {
        /// What was refused and how to reach the server.
        message: String,
    },
    /// Ask for something else.
    #[error("{message}")]
    NotFound {
        /// What is not there.
        message: String,
    },
    /// Read it again: what is there contradicts the request.
    #[error("{message}")]
    Conflict {
        /// Stable code.
        code: &'static str,
        /// What is there.
        message: String,
    },
    /// Use one of the route's methods.
    #[error("{path} does not answer {method}")]
    MethodNotAllowed {
        /// Method of the request.
        method: String,
        /// Path of the request.
        path: String,
    },
    /// Send less at once.
    #[error("{message}")]
    TooLarge {
        /// What is too large and the limit.
        message: String,
    },
    /// Send another content type or encoding.
    #[error("{message}")]
    UnsupportedMediaType {
        /// What is accepted.
        message: String,
    },
    /// Ask for less, or try again: the answer would have taken longer than a request may.
    #[error("the request took more than {seconds} s; ask for less at once")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// Send less at once, or over a faster connection.
    #[error("{message}")]
    SlowBody {
        /// What was waited for.
        message: String,
    },
    /// Send more slowly: the caller has taken what it may.
    #[error("{message}")]
    TooManyRequests {
        /// The limit.
        message: String,
        /// When to try again.
        retry_after_s: u64,
    },
    /// Try again: other requests take what there is.
    #[error("{message}")]
    Busy {
        /// What there is too little of.
        message: String,
    },
    /// Ask for less: the database was broken off in the middle of the answer.
    #[error("the answer takes the database too long; ask for a shorter range, a wider resolution or fewer dimensions")]
    TooMuchWork,
    /// Try again: the database is away or did not answer in time.
    #[error("the database does not answer; try again")]
    DatabaseUnavailable(#[source] sqlx::Error),
    /// Ask for less, or for something else: the process that read the lake's files gave no answer.
    #[error("{}", .0.message)]
    Refused(Refusal),
    /// Tell the operator: a bug or a damaged row. The cause is logged and withheld.
    #[error("internal error; the server's log says more")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Body of every answer that is not a success.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorAnswer {
    /// What went wrong.
    pub(crate) error: ErrorBody,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// Stable code.
    pub(crate) code: String,
    /// Text for people.
    pub(crate) message: String,
}

impl ApiError {
    /// A malformed parameter or body.
    pub(crate) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { code, message: message.into() }
    }

    /// The status of its answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.status_and_code().0
    }

    /// The status and the stable code of its answer.
    pub(crate) fn status_and_code(&self) -> (StatusCode, &str) {
        match self {
            Self::Invalid { code, .. } => (StatusCode::BAD_REQUEST, code),
            Self::Unauthorized { .. } => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::Forbidden { .. } => (StatusCode::FORBIDDEN, "forbidden"),
            Self::NotFound { .. } => (StatusCode::NOT_FOUND, "not_found"),
            Self::Conflict { code, .. } => (StatusCode::CONFLICT, code),
            Self::MethodNotAllowed { .. } => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
            Self::UnsupportedMediaType { .. } => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::TimedOut { .. } | Self::TooMuchWork | Self::SlowBody { .. } => {
                (StatusCode::SERVICE_UNAVAILABLE, "timed_out")
            }
            Self::TooManyRequests { .. } => (StatusCode::TOO_MANY_REQUESTS, "rate_limited"),
            Self::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::DatabaseUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "database_unavailable"),
            Self::Refused(refusal) => {
                (StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), &refusal.code)
            }
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        }
    }
}

impl From<UnknownPacking> for ApiError {
    fn from(error: UnknownPacking) -> Self {
        Self::UnsupportedMediaType { message: error.to_string() }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::DatabaseUnavailable(error)
            }
            sqlx::Error::Database(ref answer) => match reaction_to(answer.as_ref()) {
                Reaction::AskForLess => Self::TooMuchWork,
                Reaction::TryAgain => Self::DatabaseUnavailable(error),
                Reaction::TellTheOperator => Self::Internal(Box::new(error)),
            },
            other => Self::Internal(Box::new(other)),
        }
    }
}

/// What an error that the database itself answers asks for.
enum Reaction {
    AskForLess,
    TryAgain,
    TellTheOperator,
}

fn reaction_to(answer: &dyn DatabaseError) -> Reaction {
    let code = answer.code().unwrap_or_default();
    if answer.try_downcast_ref::<SqliteError>().is_some() {
        return reaction_to_sqlite(&code);
    }
    match &*code {
        // query_canceled, by the limit of time.
        "57014" => Reaction::AskForLess,
        // The server stops, starts or has no place; a standby had to break the statement off.
        "57P01" | "57P02" | "57P03" | "57P05" | "40001" => Reaction::TryAgain,
        // Connection exceptions and insufficient resources.
        code if code.starts_with("08") || code.starts_with("53") => Reaction::TryAgain,
        _ => Reaction::TellTheOperator,
    }
}

/// SQLite's code; its lowest byte is the kind of error.
fn reaction_to_sqlite(code: &str) -> Reaction {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const INTERRUPT: u32 = 9;
    match code.parse().map(|code: u32| code & 0xff) {
        Ok(INTERRUPT) => Reaction::AskForLess,
        Ok(BUSY | LOCKED) => Reaction::TryAgain,
        _ => Reaction::TellTheOperator,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        match &self {
            Self::DatabaseUnavailable(source) => tracing::warn!(error = %source, "a request waits for the database"),
            Self::Internal(source) => tracing::error!(error = %source, "a request failed"),
            _ => tracing::debug!(code, message = %self, "a request was refused"),
        }
        let body = ErrorAnswer { error: ErrorBody { code: code.to_owned(), message: self.to_string() } };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        match self {
            Self::Unauthorized { challenge } => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
            }
            Self::TooManyRequests { retry_after_s, .. } => {
                headers.insert(RETRY_AFTER, retry_after_s.into());
            }
            _ => {}
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_went_wrong_inside_is_withheld() {
        let error = ApiError::from(sqlx::Error::Protocol("password of postgres is hunter2".to_owned()));
        let response = error.into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        assert_eq!(body, r#"{"error":{"code":"internal","message":"internal error; the server's log says more"}}"#);
    }

    #[test]
    fn a_database_that_is_away_asks_for_another_try() {
        let response = ApiError::from(sqlx::Error::PoolTimedOut).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    /// What Postgres would answer.
    #[derive(Debug, thiserror::Error)]
    #[error("code {0}")]
    struct Answered(&'static str);

    impl DatabaseError for Answered {
        fn message(&self) -> &str {
            self.0
        }

        fn code(&self) -> Option<std::borrow::Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn a_database_that_stops_is_full_or_was_broken_off_asks_for_another_try() {
        for (code, expected) in [
            ("57P01", "database_unavailable"),
            ("57P03", "database_unavailable"),
            ("53300", "database_unavailable"),
            ("08006", "database_unavailable"),
            ("57014", "timed_out"),
            ("42P01", "internal"),
        ] {
            let error = ApiError::from(sqlx::Error::Database(Box::new(Answered(code))));
            assert_eq!(error.status_and_code().1, expected, "{code}");
        }
        for (code, is_expected) in [
            ("5", matches!(reaction_to_sqlite("5"), Reaction::TryAgain)),
            ("517", matches!(reaction_to_sqlite("517"), Reaction::TryAgain)),
            ("9", matches!(reaction_to_sqlite("9"), Reaction::AskForLess)),
            ("11", matches!(reaction_to_sqlite("11"), Reaction::TellTheOperator)),
        ] {
            assert!(is_expected, "{code}");
        }
    }
}

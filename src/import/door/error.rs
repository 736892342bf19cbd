//! Why the front door could not be used, with the way out in the text.

use std::path::PathBuf;

use reqwest::StatusCode;
use url::Url;

/// Why the front door could not be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::import) enum DoorError {
    /// The address is no address.
    #[error("--url {url:?} is not usable: {reason}; expected something like http://127.0.0.1:8080")]
    BadUrl {
        /// The text as given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The token file holds no token.
    #[error("token file {} cannot be used: {reason}", path.display())]
    BadToken {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody listens there.
    #[error("nothing answers at {base} ({reason}); start it with `opstream up`, or name its address with --url")]
    NotThere {
        /// The address.
        base: Url,
        /// What happened.
        reason: String,
    },
    /// It answered before and does not any more.
    #[error("{base} has not taken anything for {seconds} s ({reason}); run the import again later, it continues")]
    GaveUp {
        /// The address.
        base: Url,
        /// How long it was asked.
        seconds: u64,
        /// The last answer.
        reason: String,
    },
    /// The token is missing or wrong.
    #[error("{base} asks for an access token, or refuses this one: name a file that holds it by --token-file")]
    NotAllowed {
        /// The address.
        base: Url,
    },
    /// The body is larger than the front door takes.
    #[error("{base} refuses a body of this size")]
    TooLarge {
        /// The address.
        base: Url,
    },
    /// Its answer leaves operations out, so nobody knows what became of them.
    #[error("{base} answered for {answered} of {sent} operations; run the import again, it sends the missing ones")]
    Miscounted {
        /// The address.
        base: Url,
        /// Operations that were sent.
        sent: usize,
        /// Operations that its answer speaks of.
        answered: u64,
    },
    /// Something else than opstream, or another version of it.
    #[error("{url} answered {status}, which an import cannot use: {answer}")]
    Unexpected {
        /// What was asked.
        url: Url,
        /// How it answered.
        status: StatusCode,
        /// The first characters of the body.
        answer: String,
    },
    /// The command was interrupted.
    #[error("interrupted; run the import again, it continues")]
    Interrupted,
}

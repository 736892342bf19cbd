//! Why a registry did not give what it was asked for. Each variant asks for another reaction.

use opstream_schemas::avro::SchemaId;

/// See the variants. The text names the registry, and never credentials.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum RegistryError {
    /// Ask again later: nothing answers, or it has trouble of its own.
    #[error("the schema registry at {registry} does not answer: {reason}")]
    Unavailable {
        /// Its address.
        registry: String,
        /// What happened.
        reason: String,
    },
    /// Somebody must give other credentials, or rights.
    #[error("the schema registry at {registry} answers {status}: it wants other credentials, or more rights for them")]
    NotAllowed {
        /// Its address.
        registry: String,
        /// 401 or 403.
        status: u16,
    },
    /// It does not have that.
    #[error("the schema registry at {registry} has no {what}")]
    NotFound {
        /// Its address.
        registry: String,
        /// What was asked for.
        what: String,
    },
    /// The subject's rule does not allow the schema.
    #[error("the schema registry at {registry} refuses {subject}: not compatible with what is registered: {message}")]
    Incompatible {
        /// Its address.
        registry: String,
        /// The subject.
        subject: String,
        /// The registry's words.
        message: String,
    },
    /// It refuses the request for another reason.
    #[error("the schema registry at {registry} refuses {what} with {status}: {message}")]
    Refused {
        /// Its address.
        registry: String,
        /// What was asked for.
        what: String,
        /// HTTP status.
        status: u16,
        /// The registry's words.
        message: String,
    },
    /// The answer is not one of the protocol: something else listens there, or the path is wrong.
    #[error("{registry} does not answer as a schema registry when asked for {what}: {reason}")]
    NotRegistry {
        /// The address.
        registry: String,
        /// What was asked for.
        what: String,
        /// What it answered.
        reason: String,
    },
    /// The id that it gives is that of another schema: records under it could not be read by anybody.
    #[error(
        "the schema registry at {registry} says that the schema in {subject} has the id {id}, and under that id it has another schema; \
         nothing is written under it"
    )]
    OtherSchema {
        /// Its address.
        registry: String,
        /// The subject.
        subject: String,
        /// The id.
        id: SchemaId,
    },
    /// An id that opstream has given to another schema.
    #[error(
        "the schema registry at {registry} gave {subject} the id {id}, which lies in the range that opstream reserves for its built-in \
         schemas, 2130706432 to 2147483647"
    )]
    ReservedId {
        /// Its address.
        registry: String,
        /// The subject.
        subject: String,
        /// The id.
        id: SchemaId,
    },
}

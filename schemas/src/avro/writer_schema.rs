//! The schema of a writer that is not opstream, as a registry has it.

/// What the records with some id of a registry are written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterSchema {
    /// `AVRO`, `PROTOBUF` or `JSON`.
    pub schema_type: String,
    /// Its text.
    pub text: String,
    /// Whether it names types of other schemas.
    pub has_references: bool,
}

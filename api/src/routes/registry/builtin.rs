//! The built-in schemas as subjects and versions. Pure.

use opstream_schemas::avro::{BUILTIN_SCHEMAS, BuiltinSchema, Record, SchemaId, builtin_schema};
use opstream_schemas::topics::Topics;

use super::answers::RegistryError;

type Found = Result<&'static BuiltinSchema, RegistryError>;

/// Names of all subjects, sorted.
pub(super) fn subjects(topics: &Topics) -> Vec<String> {
    let mut subjects: Vec<String> = BUILTIN_SCHEMAS.iter().map(|schema| subject_of(topics, schema.record)).collect();
    subjects.sort();
    subjects.dedup();
    subjects
}

/// The subjects under which a schema is listed.
pub(super) fn subjects_of(topics: &Topics, schema: &BuiltinSchema) -> Vec<String> {
    vec![subject_of(topics, schema.record)]
}

/// All versions of a subject, oldest first.
pub(super) fn find_versions(topics: &Topics, subject: &str) -> Result<Vec<&'static BuiltinSchema>, RegistryError> {
    let mut versions: Vec<_> =
        BUILTIN_SCHEMAS.iter().filter(|schema| subject_of(topics, schema.record) == subject).collect();
    if versions.is_empty() {
        return Err(RegistryError::NoSuchSubject { subject: subject.to_owned() });
    }
    versions.sort_by_key(|schema| schema.version);
    Ok(versions)
}

/// One version of a subject: a number, `latest` or `-1`.
pub(super) fn find_version(topics: &Topics, subject: &str, version: &str) -> Found {
    let versions = find_versions(topics, subject)?;
    if matches!(version, "latest" | "-1") {
        return versions.last().copied().ok_or(RegistryError::NoSuchSchema);
    }
    let number: u32 = version.parse().map_err(|_| RegistryError::InvalidVersion { version: version.to_owned() })?;
    versions.into_iter().find(|schema| schema.version == number).ok_or(RegistryError::NoSuchVersion { version: number })
}

/// The schema with this id.
pub(super) fn find_by_id(id: &str) -> Found {
    let id: u32 = id.parse().map_err(|_| RegistryError::NoSuchSchema)?;
    builtin_schema(SchemaId(id)).ok_or(RegistryError::NoSuchSchema)
}

/// The version whose text is the same JSON, whatever its white space and the order of its members.
pub(super) fn find_by_text(
    versions: &[&'static BuiltinSchema],
    wanted: &serde_json::Value,
) -> Option<&'static BuiltinSchema> {
    versions.iter().copied().find(|schema| super::json_of(schema.text) == *wanted)
}

fn subject_of(topics: &Topics, record: Record) -> String {
    match record {
        Record::Operation => format!("{}-value", topics.operations()),
        Record::Window => format!("{}-value", topics.windows()),
        Record::SpanContent => format!("{}-value", topics.contents()),
        Record::Alert => format!("{}-value", topics.alerts()),
    }
}

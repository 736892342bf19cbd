//! Asks a registry for the schemas of other writers, once for each id.

use std::collections::BTreeSet;

use opstream_registry::{Registry, RegistryError};
use opstream_schemas::avro::SchemaId;
use tokio::task::JoinSet;

use crate::decode::WriterSchemas;

/// Questions at once.
const AT_ONCE: usize = 8;

/// What became of a round of questions.
#[derive(Debug, Default)]
pub struct Round {
    /// Ids without a schema.
    pub missing: BTreeSet<SchemaId>,
    /// Why the rest has no answer.
    pub failure: Option<RegistryError>,
}

/// Asks for these ids once, and stops at the first that gets no answer.
pub async fn ask(registry: &Registry, schemas: &mut WriterSchemas, ids: &BTreeSet<SchemaId>) -> Round {
    let mut round = Round::default();
    let mut waiting = ids.iter().copied();
    let mut asked = JoinSet::new();
    loop {
        while asked.len() < AT_ONCE && round.failure.is_none() {
            let Some(id) = waiting.next() else { break };
            let registry = registry.clone();
            asked.spawn(async move { (id, registry.schema(id).await) });
        }
        let Some(answer) = asked.join_next().await else { return round };
        match answer.expect("a question does not panic, and nobody aborts it") {
            (id, Ok(schema)) => schemas.learn(id, &schema),
            (id, Err(RegistryError::NotFound { .. })) => drop(round.missing.insert(id)),
            (_, Err(error)) => round.failure = Some(error),
        }
    }
}

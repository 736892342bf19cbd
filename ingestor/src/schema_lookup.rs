//! Asks the registry for the schemas of other writers before their records are decoded.
//!
//! **Outage is not poison**: while the registry does not answer, the batch waits, the source pauses and Kafka keeps what comes. Only
//! its word that it has no such schema makes dead letters, and it is asked for that word again, because a replica of a registry may
//! hear of a new schema later than the producer that uses it.

use std::time::{Duration, Instant};

use opstream_records::ask::{Round, ask};
use opstream_registry::Registry;
use opstream_schemas::condition::Reporter;
use tokio_util::sync::CancellationToken;

use crate::backoff::Undertaking;
use crate::decode::WriterSchemas;
use crate::record::RawBatch;

/// How often a missing id is asked for.
const LOOKS: u32 = 3;
/// Pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// More ids than these are not those of a registry that lags behind, but bytes that are no ids.
const FEW: usize = 16;

/// Asks one registry on behalf of one stage, so that no id is asked for twice at a time.
pub struct SchemaLookup {
    registry: Registry,
    undertaking: Undertaking,
    stop: CancellationToken,
}

impl SchemaLookup {
    /// Asks this registry until `stop` is cancelled.
    pub fn new(registry: Registry, reporter: &Reporter, stop: CancellationToken) -> Self {
        Self { registry, undertaking: Undertaking::new("looking up a schema in the registry", reporter), stop }
    }

    /// Learns all schemas of a batch. Waits until the registry answers; false when it was stopped before.
    pub async fn learn(&self, schemas: &mut WriterSchemas, batch: &RawBatch) -> bool {
        let mut ids = schemas.unknown_ids(batch, Instant::now());
        let mut backoff = self.undertaking.begin();
        let mut looks = 0;
        while !ids.is_empty() {
            let Round { missing, failure } = ask(&self.registry, schemas, &ids).await;
            if let Some(error) = failure {
                tracing::warn!(%error, schemas = ids.len(), "cannot look up schemas; records wait, and it is tried again");
                ids = schemas.unknown_ids(batch, Instant::now());
                if !backoff.wait(&self.stop).await {
                    return false;
                }
                continue;
            }
            if missing.is_empty() {
                return true;
            }
            looks += 1;
            if missing.len() > FEW || looks >= LOOKS {
                tracing::warn!(
                    schemas = missing.len(),
                    first = missing.first().map(|id| id.0),
                    registry = %self.registry,
                    "the registry has no schemas with ids that records carry; the records become dead letters"
                );
                schemas.learn_missing(missing, Instant::now());
                return true;
            }
            ids = missing;
            if self.stop.run_until_cancelled(tokio::time::sleep(PAUSE)).await.is_none() {
                return false;
            }
        }
        true
    }
}

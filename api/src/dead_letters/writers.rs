//! Schemas of other writers, asked for as far as the letters at hand need them.

use std::time::Instant;

use anyhow::Context as _;
use opstream_records::ask::{Round, ask};
use opstream_records::decode::WriterSchemas;
use opstream_registry::Registry;

use super::letter::Letter;

/// What is known of them, and whom to ask.
pub struct Writers {
    registry: Option<Registry>,
    schemas: WriterSchemas,
}

impl Writers {
    /// Knows nothing yet, and asks this registry if there is one.
    pub fn of(registry: Option<Registry>) -> Self {
        Self { registry, schemas: WriterSchemas::default() }
    }

    /// Everything that the registry knows of the schemas of these letters.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn schemas_of(&mut self, letters: &[Letter]) -> anyhow::Result<&WriterSchemas> {
        if let Some(registry) = &self.registry {
            let values = letters.iter().filter_map(|letter| letter.value.as_deref());
            let ids = self.schemas.unknown_ids_of(values, Instant::now());
            let Round { missing, failure } = ask(registry, &mut self.schemas, &ids).await;
            if let Some(error) = failure {
                return Err(error).context("the letters' schemas cannot be looked up");
            }
            self.schemas.learn_missing(missing, Instant::now());
        }
        Ok(&self.schemas)
    }
}

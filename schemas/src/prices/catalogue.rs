//! All price files together: finds the model that an operation's names mean.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

use super::entry::Model;
use super::load::{self, LoadedFile};
use super::names::{Claim, NameIndex};
use super::place::{CatalogueError, Problem};
use crate::providers::canonical_provider;

/// Points at a model of the catalogue that returned it; meaningless to any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PriceKey(usize);

impl PriceKey {
    pub(super) const fn new(place: usize) -> Self {
        Self(place)
    }
}

/// A validated set of price files.
#[derive(Debug)]
pub struct Catalogue {
    version: String,
    models: Vec<Model>,
    /// Names of the models of each price file.
    indexes: Vec<NameIndex>,
    /// Place in `indexes` for each provider name.
    providers: HashMap<String, usize>,
}

impl Catalogue {
    /// Reads and checks price files, given as (file name, TOML text).
    ///
    /// # Errors
    /// The first fault, with the file, the model and the field it is in. A catalogue is taken whole or not at all.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, CatalogueError> {
        let mut catalogue =
            Self { version: String::new(), models: Vec::new(), indexes: Vec::new(), providers: HashMap::new() };
        let mut latest = None;
        for (name, text) in files {
            let loaded = load::load_file(name, text, catalogue.models.len())?;
            latest = latest.max(Some(loaded.catalogue));
            catalogue.add(name, loaded)?;
        }
        let date = latest.ok_or(CatalogueError::Empty)?;
        catalogue.version = format!("{date}-{}", fingerprint(files));
        Ok(catalogue)
    }

    /// Date of the newest file and eight hex digits over the content of all, such as `2026-11-23-5f0c9a1e`: the same
    /// for the same prices on every machine, and different after any edit.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The models in the order of the files.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// The model with this key.
    ///
    /// # Panics
    /// If the key comes from another catalogue with more models.
    pub fn model(&self, key: PriceKey) -> &Model {
        &self.models[key.0]
    }

    /// The model that these names mean, or none: an unknown name never borrows another model's price.
    ///
    /// Case and surrounding space do not matter. The provider may be an alias. The model is looked up by name or
    /// declared alias, then without a snapshot date (`-YYYYMMDD`, `-YYYY-MM-DD`, `@YYYYMMDD`), then by the longest
    /// declared prefix that only a version number follows; then the same without a leading `models/` or the same
    /// provider's name and a slash.
    pub fn find(&self, provider: &str, model: &str) -> Option<PriceKey> {
        let place = *self.providers.get(canonical_provider(provider).as_ref())?;
        let lower = model.trim().to_ascii_lowercase();
        let mut name = lower.as_str();
        loop {
            match self.indexes[place].resolve(name) {
                Some(Claim::Model(key)) => return Some(key),
                Some(Claim::Excluded) => return None,
                None => {}
            }
            let (qualifier, rest) = name.split_once('/')?;
            let is_own = || self.providers.get(canonical_provider(qualifier).as_ref()) == Some(&place);
            if qualifier != "models" && !is_own() {
                return None;
            }
            name = rest;
        }
    }

    /// The model to bill: the one the answer names, else the requested one.
    ///
    /// An answer's unknown model is not replaced by the requested one, since the provider bills what it ran.
    pub fn find_billed(&self, provider: &str, model: Option<&str>, response_model: Option<&str>) -> Option<PriceKey> {
        let named = |name: &&str| !name.trim().is_empty();
        self.find(provider, response_model.filter(named).or(model.filter(named))?)
    }

    fn add(&mut self, file: &str, loaded: LoadedFile) -> Result<(), CatalogueError> {
        let place = self.indexes.len();
        for provider in loaded.providers {
            if self.providers.insert(provider.clone(), place).is_some() {
                return Err(CatalogueError::in_file(file, "provider", Problem::Taken { name: provider }));
            }
        }
        self.indexes.push(loaded.names);
        self.models.extend(loaded.models);
        Ok(())
    }
}

/// Eight hex digits over names and texts, independent of the order of the files.
fn fingerprint(files: &[(&str, &str)]) -> String {
    let mut ordered = files.to_vec();
    ordered.sort_unstable();
    let mut hasher = Sha256::new();
    for (name, text) in ordered {
        // The lengths keep text from moving unseen between a file and its neighbour.
        hasher.update(format!("{} {} ", name.len(), text.len()));
        hasher.update(name);
        hasher.update(text);
    }
    let [a, b, c, d, ..]: [u8; 32] = hasher.finalize().into();
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

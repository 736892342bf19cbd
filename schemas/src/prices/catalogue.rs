//! All price files together: finds the model that an operation's names mean.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
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
#[derive(Clone, Debug)]
pub struct Catalogue {
    date: NaiveDate,
    version: String,
    models: Vec<Model>,
    /// Names of the models of each price file.
    indexes: Vec<NameIndex>,
    /// Places in `indexes` for each provider name: first the one that is asked first.
    providers: HashMap<String, Vec<usize>>,
}

impl Catalogue {
    /// Reads and checks price files, given as (file name, TOML text).
    ///
    /// # Errors
    /// The first fault, with the file, the model and the field it is in. A catalogue is taken whole or not at all.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, CatalogueError> {
        let nothing = Self {
            date: NaiveDate::MIN,
            version: String::new(),
            models: Vec::new(),
            indexes: Vec::new(),
            providers: HashMap::new(),
        };
        nothing.with_files(files, &fingerprint("", files))
    }

    /// This catalogue with other price files laid over it: names that the files claim are theirs, whatever this catalogue
    /// says of them, and all others keep their prices. Keys of this catalogue mean the same in the new one.
    ///
    /// # Errors
    /// Those of [`Catalogue::parse`].
    pub fn overlay(&self, files: &[(&str, &str)]) -> Result<Self, CatalogueError> {
        self.clone().with_files(files, &fingerprint(&self.version, files))
    }

    fn with_files(mut self, files: &[(&str, &str)], fingerprint: &str) -> Result<Self, CatalogueError> {
        if files.is_empty() {
            return Err(CatalogueError::Empty);
        }
        let mut added = HashSet::new();
        for (name, text) in files {
            let loaded = load::load_file(name, text, self.models.len())?;
            self.date = self.date.max(loaded.catalogue);
            self.add(name, loaded, &mut added)?;
        }
        self.version = format!("{}-{fingerprint}", self.date);
        Ok(self)
    }

    /// Date of the newest file and eight hex digits over the content of all, such as `2026-11-23-5f0c9a1e`: the same
    /// for the same prices on every machine, and different after any edit.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The models in the order of the files, those beneath first; also those whose names other files took.
    pub fn models(&self) -> &[Model] {
        &self.models
    }

    /// Every model with its key, in the order of [`Catalogue::models`].
    pub fn entries(&self) -> impl Iterator<Item = (PriceKey, &Model)> {
        self.models.iter().enumerate().map(|(place, model)| (PriceKey(place), model))
    }

    /// Every model that its provider and id still mean, with its key: not those whose id a file above claims.
    pub fn in_force(&self) -> impl Iterator<Item = (PriceKey, &Model)> {
        self.entries().filter(|(key, model)| self.find(&model.provider, &model.id) == Some(*key))
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
        let places = self.providers.get(canonical_provider(provider).as_ref())?;
        let lower = model.trim().to_ascii_lowercase();
        match places.iter().find_map(|place| self.claim(*place, &lower))? {
            Claim::Model(key) => Some(key),
            Claim::Excluded => None,
        }
    }

    /// Whom a lower-case name belongs to in the price file at this place.
    fn claim(&self, place: usize, model: &str) -> Option<Claim> {
        let mut name = model;
        loop {
            let claim = self.indexes[place].resolve(name);
            if claim.is_some() {
                return claim;
            }
            let (qualifier, rest) = name.split_once('/')?;
            let is_own = |places: &Vec<usize>| places.contains(&place);
            if qualifier != "models" && !self.providers.get(canonical_provider(qualifier).as_ref()).is_some_and(is_own)
            {
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

    /// Adds a file in front of those that are there. `added` are the providers of the files beside it.
    fn add(&mut self, file: &str, loaded: LoadedFile, added: &mut HashSet<String>) -> Result<(), CatalogueError> {
        let place = self.indexes.len();
        for provider in loaded.providers {
            if !added.insert(provider.clone()) {
                return Err(CatalogueError::in_file(file, "provider", Problem::Taken { name: provider }));
            }
            self.providers.entry(provider).or_default().insert(0, place);
        }
        self.indexes.push(loaded.names);
        self.models.extend(loaded.models);
        Ok(())
    }
}

/// Eight hex digits over the version beneath, names and texts, independent of the order of the files.
fn fingerprint(beneath: &str, files: &[(&str, &str)]) -> String {
    let mut ordered = files.to_vec();
    ordered.sort_unstable();
    let mut hasher = Sha256::new();
    hasher.update(beneath);
    for (name, text) in ordered {
        // The lengths keep text from moving unseen between a file and its neighbour.
        hasher.update(format!("{} {} ", name.len(), text.len()));
        hasher.update(name);
        hasher.update(text);
    }
    let [a, b, c, d, ..]: [u8; 32] = hasher.finalize().into();
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

//! Turns the text of a price file into models, refusing whatever could make a price ambiguous.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::catalogue::PriceKey;
use super::entry::Model;
use super::file::{ModelEntry, PriceFile};
use super::names::{Claim, NameIndex};
use super::place::{CatalogueError, Place, Problem};
use super::units::UnitPrices;
use crate::NanoUsd;
use crate::money::exact_non_negative;
use crate::providers::canonical_provider;

#[cfg(test)]
mod tests;

/// Decimals of a unit price in dollars per thousand; a millionth of it is a nano-dollar per unit.
const UNIT_PLACES: i64 = 6;

/// What a price file adds to the catalogue.
pub(super) struct LoadedFile {
    pub(super) catalogue: NaiveDate,
    /// The provider and those with the same prices, by their canonical names.
    pub(super) providers: Vec<String>,
    pub(super) models: Vec<Model>,
    pub(super) names: NameIndex,
}

/// Reads one price file; its first model gets the key `first_key`.
pub(super) fn load_file(file: &str, text: &str, first_key: usize) -> Result<LoadedFile, CatalogueError> {
    let parsed: PriceFile = toml::from_str(text)
        .map_err(|error| CatalogueError::Syntax { file: file.to_owned(), source: Box::new(error) })?;
    let top = Place { file, model: None };
    top.expect("schema", &parsed.schema.to_string(), "1")?;
    top.expect("currency", &parsed.currency, "USD")?;
    top.expect("unit", &parsed.unit, "per_mtok")?;
    let mut providers = vec![parsed.provider.clone()];
    providers.extend(parsed.also);
    for provider in &providers {
        if provider.is_empty() || canonical_provider(provider) != provider.as_str() {
            let expected = "OpenTelemetry's lower-case name of a provider";
            return Err(top.refuse("provider", Problem::Unexpected { found: format!("{provider:?}"), expected }));
        }
    }
    if parsed.model.is_empty() {
        return Err(top.refuse("model", Problem::Missing));
    }
    let mut loaded = LoadedFile {
        catalogue: top.date("catalogue", parsed.catalogue)?,
        providers,
        models: Vec::with_capacity(parsed.model.len()),
        names: NameIndex::default(),
    };
    for (offset, entry) in parsed.model.into_iter().enumerate() {
        let id = entry.id.clone();
        let place = Place { file, model: Some(&id) };
        place.claim_names(&mut loaded.names, &entry, PriceKey::new(first_key + offset))?;
        loaded.models.push(place.model(&loaded.providers, entry)?);
    }
    Ok(loaded)
}

impl Place<'_> {
    fn claim_names(self, names: &mut NameIndex, entry: &ModelEntry, key: PriceKey) -> Result<(), CatalogueError> {
        let own = Claim::Model(key);
        let exact = std::iter::once(("id", &entry.id, own))
            .chain(entry.aliases.iter().map(|alias| ("aliases", alias, own)))
            .chain(entry.excludes.iter().map(|name| ("excludes", name, Claim::Excluded)));
        self.check_word("id", &entry.id)?;
        for (field, name, claim) in exact {
            self.check_name(field, name)?;
            if !names.claim_name(name, claim) {
                return Err(self.refuse(field, Problem::Taken { name: name.clone() }));
            }
        }
        for prefix in &entry.prefixes {
            self.check_name("prefixes", prefix)?;
            if !names.claim_prefix(prefix, key) {
                return Err(self.refuse("prefixes", Problem::Taken { name: prefix.clone() }));
            }
        }
        Ok(())
    }

    fn model(self, providers: &[String], entry: ModelEntry) -> Result<Model, CatalogueError> {
        if entry.source.is_empty() {
            return Err(self.refuse("source", Problem::Missing));
        }
        if let Some(tokens) = entry.context_window.filter(|tokens| *tokens < 1) {
            let expected = "a number of tokens above 0";
            return Err(self.refuse("context_window", Problem::Unexpected { found: tokens.to_string(), expected }));
        }
        let (provider, also) = providers.split_first().ok_or_else(|| self.refuse("provider", Problem::Missing))?;
        Ok(Model {
            provider: provider.clone(),
            also: also.to_vec(),
            context_window: entry.context_window,
            retired_on: entry.retired_on.map(|day| self.date("retired_on", day)).transpose()?,
            source: entry.source,
            checked_on: self.date("checked_on", entry.checked_on)?,
            note: entry.note,
            units: self.units(&entry.units)?,
            intervals: self.intervals(&entry.interval)?,
            variants: self.variants(entry.variant)?,
            id: entry.id,
            aliases: entry.aliases,
            prefixes: entry.prefixes,
        })
    }

    fn units(self, texts: &BTreeMap<String, String>) -> Result<UnitPrices, CatalogueError> {
        let price = |(unit, text): (&String, &String)| {
            let field = format!("units.{unit}");
            self.check_word(&field, unit)?;
            let price = exact_non_negative(text, UNIT_PLACES).map_err(|error| self.refuse(&field, error.into()))?;
            Ok((unit.clone(), NanoUsd::from_nanos(price)))
        };
        texts.iter().map(price).collect()
    }
}

//! Decides which drafts become price files: those that are wanted, that a price file can say, and whose names are free.

use std::collections::{BTreeMap, BTreeSet};

use opstream_schemas::prices::{Catalogue, CatalogueError, Model};

use super::draft::{DraftModel, LeftOut};
use super::{MadeFile, Read, price_file};
use crate::failure::told;

/// What is wanted.
pub(super) struct Sieve<'a> {
    /// The prices that there are.
    pub(super) catalogue: &'a Catalogue,
    /// Whether only models are wanted that it does not have.
    pub(super) only_missing: bool,
    /// The day of the import.
    pub(super) day: String,
}

impl Sieve<'_> {
    /// A price file for each provider of which something is left, and all that was left out.
    pub(super) fn files(&self, read: Read) -> (BTreeMap<String, MadeFile>, Vec<LeftOut>) {
        let Read { models, mut left_out } = read;
        let mut files = BTreeMap::new();
        for (provider, drafts) in models {
            let kept = self.sift(&provider, drafts, &mut left_out);
            if !kept.is_empty() {
                let text = price_file::text(&provider, &kept, &self.day);
                files.insert(provider, MadeFile { text, n_models: kept.len() });
            }
        }
        (files, left_out)
    }

    fn sift(&self, provider: &str, drafts: Vec<DraftModel>, left_out: &mut Vec<LeftOut>) -> Vec<DraftModel> {
        let mut taken: BTreeSet<String> = drafts.iter().map(|draft| draft.id.clone()).collect();
        let mut ids = BTreeSet::new();
        let mut prefixes = BTreeSet::new();
        let mut kept = Vec::new();
        for mut draft in drafts {
            let what = format!("{provider}/{}", draft.id);
            let mut leave = |reason: String| left_out.push(LeftOut { what: what.clone(), reason });
            let is_there = |name: &String| self.catalogue.find(provider, name).is_some();
            if self.only_missing && is_there(&draft.id) {
                continue;
            }
            if !ids.insert(draft.id.clone()) {
                leave("another entry of the list has the same name".to_owned());
                continue;
            }
            draft.aliases.retain(|name| taken.insert(name.clone()) && !(self.only_missing && is_there(name)));
            draft.prefixes.retain(|name| prefixes.insert(name.clone()) && !(self.only_missing && is_there(name)));
            if !draft.has_prices() {
                leave("it charges nothing by the token that a price file could say".to_owned());
                continue;
            }
            if let Err(reason) = self.check(provider, &draft) {
                leave(reason);
                continue;
            }
            if !draft.missing.is_empty() {
                leave(format!("{}: a price file has no place for it", draft.missing.join(", ")));
            }
            kept.push(draft);
        }
        kept
    }

    /// Whether a price file with this model is one, and takes no name that it must not take.
    fn check(&self, provider: &str, draft: &DraftModel) -> Result<(), String> {
        let text = price_file::text(provider, std::slice::from_ref(draft), &self.day);
        let alone = Catalogue::parse(&[("made", &text)]).map_err(|error| match error {
            CatalogueError::Field { field, source, .. } => format!("{field}: {source}"),
            other => told(&other),
        })?;
        if !self.only_missing {
            return Ok(());
        }
        // A name without a date is that of its snapshots too, which may have prices of their own.
        let names = |(_, old): (_, &Model)| std::iter::once(&old.id).chain(&old.aliases).cloned().collect::<Vec<_>>();
        let of_provider = self
            .catalogue
            .in_force()
            .filter(|(_, old)| old.provider == provider || old.also.iter().any(|other| other == provider));
        match of_provider.flat_map(names).find(|name| alone.find(provider, name).is_some()) {
            Some(name) => Err(format!("it would take the name {name} from the catalogue")),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use opstream_schemas::prices::TokenClass;

    use super::*;
    use crate::price::import::draft::{DraftCard, DraftInterval, DraftRates};

    fn draft(id: &str, aliases: &[&str], price: &str) -> DraftModel {
        let rates = DraftRates::from([(TokenClass::Input, price.to_owned())]);
        let interval = DraftInterval { card: DraftCard { rates, ..DraftCard::default() }, ..DraftInterval::default() };
        DraftModel {
            id: id.to_owned(),
            aliases: aliases.iter().map(|name| (*name).to_owned()).collect(),
            source: "a list".to_owned(),
            intervals: vec![interval],
            ..DraftModel::default()
        }
    }

    fn sifted(only_missing: bool, drafts: Vec<DraftModel>) -> (Vec<DraftModel>, Vec<LeftOut>) {
        let sieve = Sieve { catalogue: Catalogue::embedded(), only_missing, day: "2026-11-27".to_owned() };
        let mut left_out = Vec::new();
        let kept = sieve.sift("openai", drafts, &mut left_out);
        (kept, left_out)
    }

    #[test]
    fn only_missing_models_take_no_name_of_the_catalogue() {
        let missing = draft("gpt-of-tomorrow", &["gpt-4o", "gpt-tomorrow"], "1");
        let (kept, left_out) = sifted(true, vec![draft("gpt-5", &[], "1"), missing.clone()]);
        assert_eq!((kept.len(), kept[0].aliases.as_slice()), (1, &["gpt-tomorrow".to_owned()][..]));
        assert!(left_out.is_empty(), "{left_out:?}");
        assert_eq!(sifted(false, vec![draft("gpt-5", &[], "1"), missing]).0.len(), 2);
    }

    #[test]
    fn what_cannot_be_a_price_file_is_left_out_with_the_reason() {
        let mut by_page = draft("by-page", &[], "0");
        by_page.missing.push("pages".to_owned());
        let drafts = vec![draft("spaced name", &[], "1"), by_page, draft("twice", &[], "1"), draft("twice", &[], "2")];
        let (kept, left_out) = sifted(false, drafts);
        assert_eq!(kept.iter().map(|draft| draft.id.as_str()).collect::<Vec<_>>(), ["twice"]);
        let reasons: Vec<String> = left_out.into_iter().map(|left| left.reason).collect();
        assert!(reasons[0].contains("a lower-case word without spaces"), "{reasons:?}");
        assert!(reasons[1].contains("nothing by the token") && reasons[2].contains("same name"), "{reasons:?}");
    }
}

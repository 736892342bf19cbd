//! What to do about an operation without a cost: names that were probably meant, prices that there are. Pure.

use std::collections::BTreeSet;

use opstream_schemas::prices::{Model, Property, Reason};
use opstream_schemas::providers::canonical_provider;

use super::Explained;
use super::near::nearest;
use crate::price::moment::{condition, span_in_words};

const OWN_PRICES: &str = "a price file of your own can add it: see docs/prices.md, and --prices";

/// Sentences that help, the most useful first.
pub(super) fn ways_out(explained: &Explained<'_>, reason: Reason) -> Vec<String> {
    match reason {
        Reason::UnknownModel => unknown_model(explained),
        Reason::NoPriceAtTime => model(explained).map(intervals).unwrap_or_default(),
        Reason::Terms(property) => model(explained).map(|model| terms(model, property)).unwrap_or_default(),
        Reason::CombinedTerms | Reason::LongPrompt => {
            vec!["nobody publishes a price for it; what was agreed with the provider can be in a price file".to_owned()]
        }
        Reason::UnknownInput | Reason::UnknownOutput if explained.stored.is_none() => {
            vec!["give the tokens of the whole prompt with --input, those of the whole answer with --output".to_owned()]
        }
        Reason::UnknownInput | Reason::UnknownOutput => {
            vec![
                "the operation was recorded without it: have the application, or its instrumentation, send it"
                    .to_owned(),
            ]
        }
        Reason::Counts => vec![
            "cached, audio and image tokens are parts of the input, reasoning tokens part of the output; \
             none can be more than the whole"
                .to_owned(),
        ],
        Reason::Units => model(explained).map(units).unwrap_or_default(),
        Reason::Class(_) => vec![OWN_PRICES.to_owned()],
        Reason::CachedMedia | Reason::TooMuch => Vec::new(),
    }
}

/// The model whose prices were asked for.
pub(super) fn model<'a>(explained: &Explained<'a>) -> Option<&'a Model> {
    let provider = explained.operation.provider.as_deref()?;
    let key = explained.catalogue.find(provider, explained.billed_name()?)?;
    Some(explained.catalogue.model(key))
}

fn unknown_model(explained: &Explained<'_>) -> Vec<String> {
    let Some(provider) = explained.operation.provider.as_deref().map(canonical_provider) else {
        return vec!["the operation names no provider".to_owned()];
    };
    let Some(name) = explained.billed_name() else { return vec!["the operation names no model".to_owned()] };
    let models: Vec<&Model> = explained.catalogue.in_force().map(|(_, model)| model).collect();
    let providers_of =
        |model: &&Model| -> Vec<String> { std::iter::once(&model.provider).chain(&model.also).cloned().collect() };
    let known: BTreeSet<String> = models.iter().flat_map(providers_of).collect();
    let mut ways = Vec::new();
    if known.contains(provider.as_ref()) {
        let own = models.iter().filter(|model| providers_of(model).iter().any(|name| *name == provider));
        let names = own.flat_map(|model| std::iter::once(&model.id).chain(&model.aliases)).map(String::as_str);
        let near = nearest(name, names);
        if near.is_empty() {
            ways.push(format!("`opstream price list --provider {provider}` shows the models that there are"));
        } else {
            ways.push(format!("similar names of {provider} in the catalogue: {}", near.join(", ")));
        }
    } else {
        let near = nearest(&provider, known.iter().map(String::as_str));
        let shown: Vec<&str> = if near.is_empty() { known.iter().map(String::as_str).collect() } else { near };
        ways.push(format!("the catalogue has no provider {provider}; it has {}", shown.join(", ")));
    }
    let elsewhere: BTreeSet<&str> = known
        .iter()
        .filter(|other| **other != provider && explained.catalogue.find(other, name).is_some())
        .map(String::as_str)
        .collect();
    if !elsewhere.is_empty() {
        let named: Vec<&str> = elsewhere.into_iter().collect();
        ways.push(format!("a model of this name is there of {}; resellers have prices of their own", named.join(", ")));
    }
    ways.push(OWN_PRICES.to_owned());
    ways
}

fn intervals(model: &Model) -> Vec<String> {
    let spans = model.intervals.iter().map(|interval| span_in_words(interval.span));
    vec![format!("prices of {} are there {}", model.name(), spans.collect::<Vec<_>>().join(", and "))]
}

fn terms(model: &Model, property: Property) -> Vec<String> {
    let of_property = model.variants.iter().filter(|variant| variant.when.property() == property);
    let known: Vec<String> =
        of_property.map(|variant| format!("{} {}", condition(variant), span_in_words(variant.span))).collect();
    if known.is_empty() {
        return vec![format!("{} has no price by {}", model.name(), property.name()), OWN_PRICES.to_owned()];
    }
    vec![format!("prices of {} are there for {}", model.name(), known.join("; "))]
}

fn units(model: &Model) -> Vec<String> {
    let names: Vec<&str> = model.units.iter().map(|(name, _)| name).collect();
    let known = if names.is_empty() {
        format!("{} has no price of any unit", model.name())
    } else {
        format!("units with a price of {}: {}", model.name(), names.join(", "))
    };
    vec![known, "billable_units is an object of names and whole numbers".to_owned(), OWN_PRICES.to_owned()]
}

//! The embedded catalogue: published figures, dates of price changes, terms, and names as they really arrive.

mod explained;
mod golden;
mod names;
mod properties;
mod published;
mod terms;
mod totals;

use super::*;
use crate::{NanoUsd, UtcMicros};

const NOW: &str = "2026-11-23T12:00:00Z";

fn tokens(input: i64, output: i64) -> Usage<'static> {
    Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() }
}

fn charge<'a>(usage: Usage<'a>, at: &str) -> Charge<'a> {
    Charge { started_at: UtcMicros::parse_rfc3339(at).unwrap(), usage, terms: Terms::STANDARD }
}

/// Cost and status by the name `provider/model`.
fn price(name: &str, charge: &Charge<'_>) -> (Option<NanoUsd>, CostStatus) {
    let (provider, model) = name.split_once('/').unwrap();
    let catalogue = Catalogue::embedded();
    let priced = catalogue.price(catalogue.find(provider, model), charge);
    (priced.cost, priced.status)
}

/// Why there is no cost.
fn reason(name: &str, charge: &Charge<'_>) -> Option<Reason> {
    let (provider, model) = name.split_once('/').unwrap();
    let catalogue = Catalogue::embedded();
    let explanation = catalogue.explain(catalogue.find(provider, model), charge);
    assert_eq!(explanation.reason.is_some(), explanation.priced.cost.is_none());
    explanation.reason
}

#[track_caller]
fn assert_cost(name: &str, usage: Usage<'_>, at: &str, usd: &str) {
    assert_charged(name, &charge(usage, at), usd);
}

#[track_caller]
fn assert_charged(name: &str, charge: &Charge<'_>, usd: &str) {
    assert_eq!(price(name, charge), (Some(NanoUsd::parse(usd).unwrap()), CostStatus::Priced), "{name}");
}

#[track_caller]
fn assert_unpriced(name: &str, charge: &Charge<'_>, why: Reason) {
    assert_eq!(price(name, charge), (None, why.status()), "{name}");
    assert_eq!(reason(name, charge), Some(why), "{name}");
}

#[test]
fn a_status_keeps_its_code_and_name() {
    let known = CostStatus::ALL.map(|status| (status.code(), status.name()));
    assert_eq!(known, [(1, "priced"), (2, "unpriced"), (3, "no_price_at_time"), (4, "free"), (5, "reported")]);
    for status in CostStatus::ALL {
        assert_eq!(CostStatus::from_code(status.code()), Some(status));
        assert_eq!(CostStatus::from_name(status.name()), Some(status));
        assert_eq!(serde_json::to_string(&status).unwrap(), format!("{:?}", status.name()));
    }
    assert_eq!(CostStatus::from_code(6), None);
}

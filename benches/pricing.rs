//! What a price costs: the engine alone, with prices that need everything, and with the columns of a batch around it.
//!
//! Operations, their charges and their columns are made before the clock starts. Each figure is of one core.

use std::hint::black_box;
use std::time::Instant;

use opstream_pricing::Pricer;
use opstream_records::decode::{WriterSchemas, decode_batch};
use opstream_schemas::prices::{
    Catalogue, Charge, Condition, CostPolicy, Effect, PriceKey, PriceTerms, Property, Terms, Usage,
};
use opstream_schemas::{Operation, UtcMicros};

use crate::budgets;
use crate::figures::{Figure, Unit};
use crate::fleet::Fleet;
use crate::preparing::raw_batch;

/// Distinct operations, priced again and again.
const OPERATIONS: usize = 10_000;

/// Prices so many operations in each way.
pub(crate) fn measure(operations: u64) -> Vec<Figure> {
    let catalogue = Catalogue::embedded();
    let mut fleet = Fleet::new(3);
    let now = UtcMicros::now();
    let fleet_operations: Vec<Operation> = (0..OPERATIONS).map(|_| fleet.operation(now)).collect();
    let usual: Vec<_> =
        fleet_operations.iter().map(|operation| (key_of(catalogue, operation), Charge::from(operation))).collect();
    let demanding = demanding_charges(catalogue, now);
    vec![
        engine("pricing, usual operations; one core", catalogue, &usual, operations),
        engine("pricing, tiers, schedules, variants and units; one core", catalogue, &demanding, operations),
        columns(&mut fleet, operations),
    ]
}

fn key_of(catalogue: &Catalogue, operation: &Operation) -> Option<PriceKey> {
    catalogue.find_billed(
        operation.provider.as_deref()?,
        operation.model.as_deref(),
        operation.response_model.as_deref(),
    )
}

fn engine(what: &'static str, catalogue: &Catalogue, charges: &[(Option<PriceKey>, Charge<'_>)], n: u64) -> Figure {
    let rounds = n.div_ceil(charges.len() as u64);
    let mut unpriced = 0_u64;
    let began = Instant::now();
    for _ in 0..rounds {
        for (key, charge) in charges {
            unpriced += u64::from(black_box(catalogue.price(*key, black_box(charge))).cost.is_none());
        }
    }
    let took = began.elapsed().as_secs_f64();
    let priced = (rounds * charges.len() as u64) as f64;
    let note = format!(
        "{} each, {:.0} % without a price",
        Unit::Seconds.text(took / priced),
        100.0 * unpriced as f64 / priced
    );
    Figure::new(what, priced / took, Unit::PerSecond).against(budgets::PRICE).noting(note)
}

/// For each model of the catalogue, long prompts with every word that its variants know, in a region, with units.
fn demanding_charges(catalogue: &'static Catalogue, at: UtcMicros) -> Vec<(Option<PriceKey>, Charge<'static>)> {
    let mut charges = Vec::new();
    for model in catalogue.models() {
        let key = catalogue.find(&model.provider, &model.id);
        let words = model.variants.iter().filter(|variant| matches!(variant.effect, Effect::Card(_)));
        for when in words.map(|variant| Some(&variant.when)).chain([None]) {
            let usage = Usage {
                input_tokens: Some(400_000),
                output_tokens: Some(1_000),
                cache_read_tokens: 100_000,
                cache_write_tokens: 1_000,
                reasoning_tokens: 500,
                web_searches: i64::from(model.units.get("web_search").is_some()),
                billable_units: model.units.get("file_search").map(|_| r#"{"file_search": 3}"#),
                ..Usage::default()
            };
            charges.push((key, Charge { started_at: at, usage, terms: terms(when) }));
        }
    }
    charges
}

fn terms(when: Option<&'static Condition>) -> Terms<'static> {
    let word = |property| when.filter(|when| when.property() == property)?.values().first().map(String::as_str);
    Terms {
        processing: word(Property::Processing),
        service_tier: word(Property::ServiceTier),
        others: PriceTerms { speed: word(Property::Speed), region: Some("us"), context: None },
        ..Terms::STANDARD
    }
}

/// Names looked up and columns written, as the ingestor does for a batch.
fn columns(fleet: &mut Fleet, operations: u64) -> Figure {
    let batch =
        decode_batch(&raw_batch(fleet, 0), &WriterSchemas::default()).columns.expect("the batch has operations");
    let mut pricer = Pricer::new(Catalogue::embedded().clone(), CostPolicy::default());
    let rounds = operations.div_ceil(batch.num_rows() as u64);
    let began = Instant::now();
    for _ in 0..rounds {
        black_box(pricer.price(black_box(&batch)));
    }
    let took = began.elapsed().as_secs_f64();
    let priced = (rounds * batch.num_rows() as u64) as f64;
    Figure::new("pricing a batch's columns; one core", priced / took, Unit::PerSecond)
        .against(budgets::PRICE)
        .noting(format!("{} each", Unit::Seconds.text(took / priced)))
}

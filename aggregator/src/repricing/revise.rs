//! What the operations of a file cost now: by another catalogue, or as they did before. Blocks; nothing is written.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, BooleanArray, RecordBatch, StringArray};
use opstream_pricing::Pricer;
use opstream_schemas::window::Level;
use opstream_schemas::{OperationId, UtcMillis};

use super::models::ModelChanges;
use super::price_columns::{PriceRow, RevisedColumns};
use crate::rewriting::summary::id_of;

/// Where the costs come from.
pub(super) enum NewPrices {
    /// A catalogue, in the name of a re-pricing; as if every operation with a model had been one of this provider and model.
    Catalogue { pricer: Pricer, repricing: i64, as_model: Option<(String, String)> },
    /// What was stored before a re-pricing, by operation.
    Before(HashMap<OperationId, PriceRow>),
}

/// Which operations are priced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope {
    /// From this time on.
    pub(super) from: UtcMillis,
    /// Before this time.
    pub(super) to: UtcMillis,
    /// And before this one, when the rest of the file is left for later.
    pub(super) until: Option<UtcMillis>,
}

/// Changed operations after which the rest of a file is left for another transaction, so that it holds nobody up for long.
const MOST_CHANGES: usize = if cfg!(test) { 25 } else { 20_000 };

/// A file with other costs.
#[derive(Debug, Default)]
pub(super) struct Revision {
    /// All its rows.
    pub(super) batches: Vec<RecordBatch>,
    /// Places of the changed ones, by batch and row.
    pub(super) changed: Vec<(usize, usize)>,
    /// What changed for which model; of another model's prices what all operations cost.
    pub(super) models: ModelChanges,
    /// Operations in scope.
    pub(super) operations: i64,
}

impl Scope {
    fn contains(&self, time: UtcMillis) -> bool {
        time >= self.from && time < self.to && self.until.is_none_or(|until| time < until)
    }
}

/// Prices a file's rows.
pub(super) fn revise(batches: &[RecordBatch], prices: &mut NewPrices, scope: Scope) -> Revision {
    let mut revision = Revision::default();
    for (place, batch) in batches.iter().enumerate() {
        let stored = RevisedColumns::of(batch);
        let new = prices.columns(batch, &stored);
        let is_changed =
            |row| prices.changes(batch, row) && (!prices.are_computed() || new.is_other_price(&stored, row));
        let times = batch.column_by_name("time_ms").expect("stored columns have it").as_primitive::<Int64Type>();
        let names = Names::of(batch);
        let mut marked = vec![false; batch.num_rows()];
        for (row, marked) in marked.iter_mut().enumerate() {
            if !scope.contains(UtcMillis::from_millis(times.value(row))) {
                continue;
            }
            revision.operations += 1;
            if is_changed(row) {
                *marked = true;
                revision.changed.push((place, row));
            }
            if *marked || prices.is_another_model() {
                revision.models.add(names.provider(row), names.model(row), stored.cost(row), new.cost(row));
            }
        }
        let is_any = marked.contains(&true);
        let revised = if is_any { new.put_into(batch, &BooleanArray::from(marked)) } else { batch.clone() };
        revision.batches.push(revised);
    }
    revision
}

impl Revision {
    /// Where a first portion ends that has no more changes than one transaction takes, or those of one minute; none: it is small enough.
    pub(super) fn portion_end(&self) -> Option<UtcMillis> {
        if self.changed.len() <= MOST_CHANGES {
            return None;
        }
        let time = |(batch, row): &(usize, usize)| {
            let times = self.batches[*batch].column_by_name("time_ms").expect("stored columns have it");
            Level::Minute.window_start(UtcMillis::from_millis(times.as_primitive::<Int64Type>().value(*row)))
        };
        let mut minutes: Vec<UtcMillis> = self.changed.iter().map(time).collect();
        minutes.sort_unstable();
        let (first, end) = (minutes[0], minutes[MOST_CHANGES]);
        if end > first { Some(end) } else { minutes.into_iter().find(|minute| *minute > first) }
    }
}

impl NewPrices {
    fn columns(&mut self, batch: &RecordBatch, stored: &RevisedColumns) -> RevisedColumns {
        match self {
            Self::Catalogue { pricer, repricing, as_model } => {
                let prices = match as_model {
                    Some(names) => pricer.price(&with_names(batch, names)),
                    None => pricer.price(batch),
                };
                RevisedColumns::priced(&prices, stored, *repricing)
            }
            Self::Before(rows) => {
                let nothing = PriceRow::default();
                let ids = batch.column(0).as_fixed_size_binary();
                let row = |row| rows.get(&id_of(ids.value(row))).unwrap_or(&nothing);
                RevisedColumns::of_rows(&(0..batch.num_rows()).map(row).collect::<Vec<_>>())
            }
        }
    }

    /// Whether this row may get other columns.
    fn changes(&self, batch: &RecordBatch, row: usize) -> bool {
        match self {
            Self::Catalogue { .. } => true,
            Self::Before(rows) => rows.contains_key(&id_of(batch.column(0).as_fixed_size_binary().value(row))),
        }
    }

    /// Whether it is asked what everything would have cost, rather than what changes.
    fn is_another_model(&self) -> bool {
        matches!(self, Self::Catalogue { as_model: Some(_), .. })
    }

    /// Computed columns replace others only where something is different.
    fn are_computed(&self) -> bool {
        matches!(self, Self::Catalogue { .. })
    }
}

/// The batch as if these had been the provider and the model, where it names any.
fn with_names(batch: &RecordBatch, (provider, model): &(String, String)) -> RecordBatch {
    let schema = batch.schema();
    let mut columns = batch.columns().to_vec();
    let names = Names::of(batch);
    let is_named = |row: &usize| names.provider.is_valid(*row) && names.model.is_valid(*row);
    let rows = || 0..batch.num_rows();
    for (name, new) in [("provider", Some(provider)), ("model", Some(model)), ("response_model", None)] {
        let place = schema.index_of(name).expect("stored columns have it");
        let old = columns[place].as_string::<i32>();
        let of_row = |row| {
            if is_named(&row) {
                new.map(String::as_str)
            } else {
                Some(text_or_nothing(old, row)).filter(|_| old.is_valid(row))
            }
        };
        columns[place] = Arc::new(rows().map(of_row).collect::<StringArray>());
    }
    RecordBatch::try_new(schema, columns).expect("each column has its type and length")
}

/// Whom the costs are reported for.
struct Names<'a> {
    provider: &'a StringArray,
    model: &'a StringArray,
}

impl<'a> Names<'a> {
    fn of(batch: &'a RecordBatch) -> Self {
        let text = |name| batch.column_by_name(name).expect("stored columns have it").as_string::<i32>();
        Self { provider: text("provider"), model: text("model") }
    }

    fn provider(&self, row: usize) -> &'a str {
        text_or_nothing(self.provider, row)
    }

    fn model(&self, row: usize) -> &'a str {
        text_or_nothing(self.model, row)
    }
}

fn text_or_nothing(column: &StringArray, row: usize) -> &str {
    if column.is_valid(row) { column.value(row) } else { "" }
}

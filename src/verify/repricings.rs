//! What re-pricings changed: each operation that names one has what it was before, and nothing else has.
//!
//! In: slices of rows, and `repriced_operations` read beside them in the same order. Out: the check `repricings`. What was before is a
//! chain, from the first cost to the last change; its beginning is what the row keeps as `billed_cost_nano_usd`.

use std::collections::HashMap;
use std::iter::Peekable;
use std::slice::Iter;

use opstream_schemas::OperationId;
use opstream_schemas::database::Row;
use opstream_schemas::lake::COST_PARTS;
use opstream_schemas::prices::CostStatus;

use super::costs::CostFacts;
use super::facts::{Facts, number_place};
use super::report::{Check, Finding};
use super::slice::Slice;
use super::snapshot::{Snapshot, VerifyError};

const REPRICING: usize = number_place("repricing");
const BILLED: usize = number_place("billed_cost_nano_usd");
const REPORTED: usize = number_place("reported_cost_nano_usd");

const WRONG_CHAIN: (&str, &str) = (
    "the row or its rows in `repriced_operations` were changed outside the aggregator",
    "bring both back from one backup: `opstream reprice undo` puts back what is there, whatever it is",
);
const WRONG_COUNT: (&str, &str) = (
    "`repricings` or `repricing_models` were changed outside the aggregator",
    "set both to a backup's; no cost depends on them",
);

/// The re-pricings, and the operations that they changed.
#[derive(Debug)]
pub(super) struct RepricingsCheck {
    check: Check,
    /// Whether it is undone, by number.
    undone: HashMap<i64, bool>,
}

/// What a re-pricing found in an operation.
#[derive(Clone, Debug)]
struct Before {
    id: OperationId,
    repricing: i64,
    cost: CostFacts,
    billed: Option<i64>,
    earlier: Option<i64>,
}

impl RepricingsCheck {
    /// Reads what was asked for.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn begin(snapshot: &mut Snapshot) -> Result<Self, VerifyError> {
        let promise = "each operation that was priced again has what it was before, and no other has";
        let mut check = Check::new("repricings", promise);
        let mut undone = HashMap::new();
        for row in snapshot.fetch("repricings", include_str!("repricings/asked.sql"), &[]).await? {
            let (number, changed) = (row.int("repricing").map_err(failed)?, row.int("changed").map_err(failed)?);
            let of_models = row.int("changed_of_models").map_err(failed)?;
            undone.insert(number, row.text("state").map_err(failed)? == "undone");
            check.compared("re-pricings", 1);
            if changed != of_models {
                let what =
                    format!("re-pricing {number} changed {changed} operations, those of its models are {of_models}");
                check.find(|| Finding { what, cause: WRONG_COUNT.0, way_out: WRONG_COUNT.1 });
            }
        }
        Ok(Self { check, undone })
    }

    /// Holds the rows of a slice against what was before.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn take(&mut self, snapshot: &mut Snapshot, slice: &Slice) -> Result<(), VerifyError> {
        let mut rows = slice.rows.iter().peekable();
        let mut chain: Vec<Before> = Vec::new();
        let (mut id, mut repricing) = (*slice.range.start(), i64::MIN);
        loop {
            let values = [id.into(), repricing.into(), (*slice.range.end()).into(), snapshot.page_limit()];
            let page = snapshot.fetch("repriced_operations", include_str!("repricings/before.sql"), &values).await?;
            for row in &page {
                let before = Before::from_row(row).map_err(failed)?;
                (id, repricing) = (before.id, before.repricing);
                if chain.first().is_some_and(|first| first.id != id) {
                    self.hold_next(&mut rows, &std::mem::take(&mut chain));
                }
                chain.push(before);
            }
            if page.is_empty() {
                self.hold_next(&mut rows, &chain);
                for row in rows {
                    self.hold(row, &[]);
                }
                return Ok(());
            }
        }
    }

    /// The check.
    pub(super) fn finish(self) -> Check {
        self.check
    }

    /// Goes on to the row of a chain, holding those that lie before it.
    fn hold_next(&mut self, rows: &mut Peekable<Iter<'_, Facts>>, chain: &[Before]) {
        let Some(id) = chain.first().map(|before| before.id) else { return };
        while let Some(row) = rows.next_if(|row| row.id < id) {
            self.hold(row, &[]);
        }
        match rows.next_if(|row| row.id == id) {
            Some(row) => self.hold(row, chain),
            None => self.find(id, || "repriced_operations has it, and operations does not".to_owned()),
        }
    }

    /// `chain` is what was before each change, in the order of the re-pricings.
    fn hold(&mut self, row: &Facts, chain: &[Before]) {
        let (repricing, billed) = (row.number(REPRICING), row.number(BILLED));
        if repricing.is_none() && billed.is_none() && chain.is_empty() {
            return;
        }
        self.check.compared("operations priced again", u64::from(repricing.is_some()));
        self.check.compared("earlier costs", chain.len() as u64);
        let last = chain.last().map(|before| before.repricing);
        if repricing != last {
            self.find(row.id, || {
                let [names, kept] = [repricing, last].map(|number| shown(number, "none"));
                format!("its row names re-pricing {names}, the last that kept what was before is {kept}")
            });
        }
        if let Some(number) = repricing.filter(|number| self.undone.get(number) != Some(&false)) {
            self.find(row.id, || format!("its row names re-pricing {number}, which is undone or was never asked for"));
        }
        let first = chain.first().and_then(|before| before.cost.cost);
        if billed != first {
            let [billed, first] = [billed, first].map(|cost| shown(cost, "null"));
            self.find(row.id, || format!("billed_cost_nano_usd {billed} ≠ {first}, its first cost"));
        }
        let mut earlier = None;
        for before in chain {
            self.hold_before(row, before, (earlier, first.filter(|_| earlier.is_some())));
            earlier = Some(before.repricing);
        }
    }

    /// `earlier` is the re-pricing before this one, and the cost that was billed then.
    fn hold_before(&mut self, row: &Facts, before: &Before, earlier: (Option<i64>, Option<i64>)) {
        let number = before.repricing;
        if (before.earlier, before.billed) != earlier {
            self.find(row.id, || {
                let [named, last] = [before.earlier, earlier.0].map(|number| shown(number, "none"));
                let [billed, first] = [before.billed, earlier.1].map(|cost| shown(cost, "null"));
                format!(
                    "before re-pricing {number} it names re-pricing {named} and billed_cost_nano_usd {billed}, not {last} and {first}"
                )
            });
        }
        let cost = CostFacts { reported: row.number(REPORTED), ..before.cost };
        if let Err(broken) = cost.made() {
            self.find(row.id, || format!("before re-pricing {number}: {broken}"));
        }
    }

    fn find(&mut self, id: OperationId, what: impl FnOnce() -> String) {
        self.check.find(|| {
            let what = format!("operation {id}: {}", what());
            Finding { what, cause: WRONG_CHAIN.0, way_out: WRONG_CHAIN.1 }
        });
    }
}

impl Before {
    fn from_row(row: &Row) -> Result<Self, sqlx::Error> {
        let mut parts = [None; COST_PARTS.len()];
        for (part, name) in parts.iter_mut().zip(COST_PARTS) {
            *part = row.optional_int(name)?;
        }
        let cost = CostFacts {
            status: CostStatus::from_name(&row.text("cost_status")?),
            cost: row.optional_int("cost_nano_usd")?,
            parts,
            catalogue: row.optional_int("catalogue_cost_nano_usd")?,
            reported: None,
            has_price_key: row.optional_text("price_key")?.is_some(),
        };
        Ok(Self {
            id: row.id("operation_id")?,
            repricing: row.int("repricing")?,
            cost,
            billed: row.optional_int("billed_cost_nano_usd")?,
            earlier: row.optional_int("earlier_repricing")?,
        })
    }
}

fn shown(number: Option<i64>, none: &str) -> String {
    number.map_or_else(|| none.to_owned(), |number| number.to_string())
}

fn failed(source: sqlx::Error) -> VerifyError {
    VerifyError::Database { what: "re-pricings", source }
}

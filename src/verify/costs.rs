//! What each row says about its own cost: the status, the cost and its parts fit together to the nano-dollar.
//!
//! In: slices of rows. Out: the check `costs`. Since it holds for each operation, it holds for every sum over them: a cost is its
//! parts and what was taken over from reports, and beside these only the cost of operations that were stored before costs had parts. Those
//! have neither parts nor a price key, which tells them from a row that lost its parts.

use opstream_schemas::lake::COST_PARTS;
use opstream_schemas::prices::CostStatus;

use super::facts::{Facts, Interner, number_place, text_place};
use super::report::{Check, Finding};
use super::slice::Slice;

const STATUS: usize = text_place("cost_status");
const PRICE_KEY: usize = text_place("price_key");
const COST: usize = number_place("cost_nano_usd");
const REPORTED: usize = number_place("reported_cost_nano_usd");
const CATALOGUE_COST: usize = number_place("catalogue_cost_nano_usd");
const PART_PLACES: [usize; COST_PARTS.len()] = {
    let mut places = [0; COST_PARTS.len()];
    let mut at = 0;
    while at < COST_PARTS.len() {
        places[at] = number_place(COST_PARTS[at]);
        at += 1;
    }
    places
};
/// Of [`COST_PARTS`], those that add up to the cost; the last one is what caches saved.
const ADDED_PARTS: usize = COST_PARTS.len() - 1;

const WRONG_COST: (&str, &str) = (
    "the row was changed after its commit; where `rows_and_files` does not name it, its file was changed too",
    "set the row to its file's values, or both to a backup's; costs are computed again with `opstream reprice`",
);

/// What an operation says about its cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct CostFacts {
    /// None is unknown to this opstream.
    pub(super) status: Option<CostStatus>,
    /// The cost that counts.
    pub(super) cost: Option<i64>,
    /// In the order of [`COST_PARTS`].
    pub(super) parts: [Option<i64>; COST_PARTS.len()],
    /// By the catalogue, beside a reported one.
    pub(super) catalogue: Option<i64>,
    /// What was reported.
    pub(super) reported: Option<i64>,
    /// Whether it names the price that was used.
    pub(super) has_price_key: bool,
}

/// What a cost is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    /// Of its parts.
    OfParts,
    /// Of parts that were not kept at that time.
    BeforeParts,
    /// It was reported, as a whole.
    AsReported,
    /// It is not known.
    Unknown,
}

/// The costs of all rows.
#[derive(Debug)]
pub(super) struct CostsCheck {
    check: Check,
}

impl CostsCheck {
    /// Nothing was read yet.
    pub(super) const fn new() -> Self {
        let promise = "each cost is the sum of its parts, or the reported one, or unknown, as its status says";
        Self { check: Check::new("costs", promise) }
    }

    /// Looks at the rows of a slice.
    pub(super) fn take(&mut self, slice: &Slice) {
        for row in &slice.rows {
            match CostFacts::of(row, &slice.interner).made() {
                Ok(made) => self.check.compared(made.noun(), 1),
                Err(broken) => self.check.find(|| {
                    let what = format!("operation {}: {broken}", row.id);
                    Finding { what, cause: WRONG_COST.0, way_out: WRONG_COST.1 }
                }),
            }
        }
    }

    /// The check.
    pub(super) fn finish(self) -> Check {
        self.check
    }
}

impl Made {
    const fn noun(self) -> &'static str {
        match self {
            Self::OfParts => "costs and their parts",
            Self::BeforeParts => "costs from before there were parts",
            Self::AsReported => "reported costs that count",
            Self::Unknown => "unknown costs",
        }
    }
}

impl CostFacts {
    fn of(row: &Facts, interner: &Interner) -> Self {
        Self {
            status: row.text(STATUS).and_then(|status| CostStatus::from_name(interner.text(status))),
            cost: row.number(COST),
            parts: PART_PLACES.map(|place| row.number(place)),
            catalogue: row.number(CATALOGUE_COST),
            reported: row.number(REPORTED),
            has_price_key: row.text(PRICE_KEY).is_some(),
        }
    }

    /// What the cost is made of, or what does not fit.
    pub(super) fn made(&self) -> Result<Made, String> {
        let status = self.status.ok_or("cost_status is none that this opstream knows")?;
        if self.catalogue.is_some() && self.reported.is_none() {
            return Err("catalogue_cost_nano_usd stands beside no reported cost".to_owned());
        }
        match (status, self.cost) {
            (CostStatus::Priced | CostStatus::Free, Some(cost)) => self.made_by_catalogue(status, cost),
            (CostStatus::Reported, Some(cost)) if self.reported == Some(cost) => {
                self.without_parts(status).map(|()| Made::AsReported)
            }
            (CostStatus::Reported, Some(cost)) => {
                Err(format!("cost_nano_usd {cost} ≠ reported_cost_nano_usd {}", shown(self.reported)))
            }
            (CostStatus::Unpriced | CostStatus::NoPriceAtTime, None) if self.catalogue.is_none() => {
                self.without_parts(status).map(|()| Made::Unknown)
            }
            (status, cost) => {
                let (cost, catalogue) = (shown(cost), shown(self.catalogue));
                Err(format!("{} and cost_nano_usd {cost}, catalogue_cost_nano_usd {catalogue}", status.name()))
            }
        }
    }

    fn made_by_catalogue(&self, status: CostStatus, cost: i64) -> Result<Made, String> {
        if status == CostStatus::Free && cost != 0 {
            return Err(format!("free and cost_nano_usd {cost}"));
        }
        if let Some(catalogue) = self.catalogue.filter(|catalogue| *catalogue != cost) {
            return Err(format!("cost_nano_usd {cost} ≠ catalogue_cost_nano_usd {catalogue}"));
        }
        if self.parts.iter().all(Option::is_none) && !self.has_price_key {
            return Ok(Made::BeforeParts);
        }
        if self.parts.iter().any(Option::is_none) {
            return Err(format!("{} and not all parts of cost_nano_usd {cost}", status.name()));
        }
        let sum: i128 = self.parts[..ADDED_PARTS].iter().flatten().copied().map(i128::from).sum();
        if sum == i128::from(cost) {
            Ok(Made::OfParts)
        } else {
            Err(format!("cost_nano_usd {cost} ≠ {sum}, its parts"))
        }
    }

    fn without_parts(&self, status: CostStatus) -> Result<(), String> {
        if self.parts.iter().all(Option::is_none) {
            Ok(())
        } else {
            Err(format!("{} and parts of a cost", status.name()))
        }
    }
}

fn shown(cost: Option<i64>) -> String {
    cost.map_or_else(|| "null".to_owned(), |cost| cost.to_string())
}

//! Damage to money: what a row says about its cost, also where its file says the same.

use opstream_schemas::prices::CostStatus;

use super::fixture::{Fixture, MINUTE_MS, operation};
use super::{compared, failing, found};
use crate::verify::costs::{CostFacts, Made};

/// An operation that the catalogue priced, with the cost that a provider reported beside it.
const PRICED: CostFacts = CostFacts {
    status: Some(CostStatus::Priced),
    cost: Some(100),
    parts: [Some(10), Some(20), Some(30), Some(39), Some(1), Some(-5)],
    catalogue: Some(100),
    reported: Some(99),
    has_price_key: true,
};
const REPORTED: CostFacts =
    CostFacts { status: Some(CostStatus::Reported), cost: Some(99), parts: [None; 6], ..PRICED };
const UNPRICED: CostFacts = CostFacts {
    status: Some(CostStatus::Unpriced),
    cost: None,
    parts: [None; 6],
    catalogue: None,
    reported: Some(99),
    has_price_key: false,
};
const FREE: CostFacts = CostFacts {
    status: Some(CostStatus::Free),
    cost: Some(0),
    parts: [Some(0); 6],
    catalogue: None,
    reported: None,
    has_price_key: false,
};
const BEFORE_PARTS: CostFacts = CostFacts { parts: [None; 6], catalogue: None, has_price_key: false, ..PRICED };

#[test]
fn what_pricing_makes_fits() {
    let no_price = CostFacts { status: Some(CostStatus::NoPriceAtTime), ..UNPRICED };
    for (cost, made) in [
        (PRICED, Made::OfParts),
        (CostFacts { catalogue: None, reported: None, ..PRICED }, Made::OfParts),
        (FREE, Made::OfParts),
        (REPORTED, Made::AsReported),
        (CostFacts { catalogue: None, has_price_key: false, ..REPORTED }, Made::AsReported),
        (UNPRICED, Made::Unknown),
        (no_price, Made::Unknown),
        (BEFORE_PARTS, Made::BeforeParts),
        (CostFacts { status: Some(CostStatus::Free), cost: Some(0), ..BEFORE_PARTS }, Made::BeforeParts),
    ] {
        assert_eq!(cost.made(), Ok(made), "{cost:?}");
    }
}

#[test]
fn one_thing_that_does_not_fit_is_named() {
    let mut one_part_less = PRICED.parts;
    one_part_less[4] = None;
    for (cost, broken) in [
        (CostFacts { cost: Some(101), catalogue: None, ..PRICED }, "cost_nano_usd 101 ≠ 100, its parts"),
        (CostFacts { cost: Some(101), ..PRICED }, "cost_nano_usd 101 ≠ catalogue_cost_nano_usd 100"),
        (CostFacts { cost: None, ..PRICED }, "priced and cost_nano_usd null, catalogue_cost_nano_usd 100"),
        (CostFacts { parts: one_part_less, ..PRICED }, "priced and not all parts of cost_nano_usd 100"),
        (CostFacts { parts: [None; 6], ..PRICED }, "priced and not all parts of cost_nano_usd 100"),
        (CostFacts { reported: None, ..PRICED }, "catalogue_cost_nano_usd stands beside no reported cost"),
        (CostFacts { status: None, ..PRICED }, "cost_status is none that this opstream knows"),
        (CostFacts { cost: Some(1), ..FREE }, "free and cost_nano_usd 1"),
        (CostFacts { cost: Some(98), ..REPORTED }, "cost_nano_usd 98 ≠ reported_cost_nano_usd 99"),
        (CostFacts { parts: PRICED.parts, ..REPORTED }, "reported and parts of a cost"),
        (CostFacts { cost: None, ..REPORTED }, "reported and cost_nano_usd null, catalogue_cost_nano_usd 100"),
        (CostFacts { cost: Some(0), ..UNPRICED }, "unpriced and cost_nano_usd 0, catalogue_cost_nano_usd null"),
        (CostFacts { catalogue: Some(5), ..UNPRICED }, "unpriced and cost_nano_usd null, catalogue_cost_nano_usd 5"),
        (CostFacts { parts: PRICED.parts, ..UNPRICED }, "unpriced and parts of a cost"),
    ] {
        assert_eq!(cost.made(), Err(broken.to_owned()), "{cost:?}");
    }
}

#[tokio::test]
async fn each_way_in_which_a_cost_comes_about_is_counted() {
    let report = Fixture::filled().await.verify().await;
    assert!(report.clean, "{report:#?}");
    let of = |what| compared(&report, "costs", what);
    let (unknown, reported) = (of("unknown costs"), of("reported costs that count"));
    assert_eq!((unknown, reported), (6, 13));
    assert_eq!(of("costs and their parts"), 60 - unknown - reported);
}

#[tokio::test]
async fn a_cost_that_is_wrong_in_row_and_file_alike_is_found() {
    let fixture = Fixture::filled().await;
    let wrong = [
        (
            "update operations set cost_status = 'free' where source_partition = 1 and source_offset = 9",
            9,
            "free and cost",
        ),
        (
            "update operations set unit_cost_nano_usd = 1 where source_partition = 1 and source_offset = 13",
            13,
            "cost_nano_usd 13001 ≠ 13002, its parts",
        ),
    ];
    for (sql, offset, broken) in wrong {
        assert_eq!(fixture.run(sql, &[]).await, 1);
        let report = fixture.verify().await;
        assert!(failing(&report).contains(&"costs"), "{report:#?}");
        let id = operation(1, offset, (offset % 3) * MINUTE_MS + 3_600_000).id;
        let found = found(&report, "costs");
        assert!(found.iter().any(|what| what.starts_with(&format!("operation {id}: {broken}"))), "{found:?}");
    }
}

//! Damage to what re-pricings left behind.

use opstream_schemas::OperationId;
use opstream_schemas::database::Value;

use super::fixture::{Fixture, MINUTE_MS, operation};
use super::{check, compared, failing, found};

/// Offset 9 of partition 1 costs 9001; it cost 7000 at first, and 8000 between two re-pricings.
async fn repriced() -> (Fixture, OperationId) {
    let mut fixture = Fixture::empty().await;
    let mut operations: Vec<_> = (0..20).map(|n| operation(1, n, n * MINUTE_MS)).collect();
    operations[9].repriced = Some([2, 7000]);
    let id = operations[9].id;
    fixture.commit(1, operations, &[]).await;
    fixture.aggregate(&[]).await;
    let asked = "insert into repricings (repricing, state, from_ms, to_ms, price_version, price_files, cost_policy, asked_at_ms, changed) \
                 values (1, 'done', 0, 1, 'v', '{}', 'catalogue', 0, 1), (2, 'running', 0, 1, 'v', '{}', 'catalogue', 0, 1), \
                 (3, 'undone', 0, 1, 'v', '{}', 'catalogue', 0, 5)";
    fixture.run(asked, &[]).await;
    let models = "insert into repricing_models (repricing, provider, model, changed, unpriced_before, unpriced_after, \
                  cost_before_nano_usd, cost_after_nano_usd) \
                  values (1, 'openai', 'gpt-a', 1, 0, 0, 0, 0), (2, 'openai', 'gpt-a', 1, 0, 0, 0, 0), \
                  (3, 'openai', 'gpt-a', 2, 0, 0, 0, 0), (3, 'openai', 'gpt-b', 3, 0, 0, 0, 0)";
    fixture.run(models, &[]).await;
    let before = "insert into repriced_operations (operation_id, repricing, cost_nano_usd, cost_status, price_version, price_key, \
                  input_cost_nano_usd, cache_read_cost_nano_usd, cache_write_cost_nano_usd, output_cost_nano_usd, \
                  unit_cost_nano_usd, cache_savings_nano_usd, billed_cost_nano_usd, earlier_repricing) \
                  values ($1, 1, 7000, 'priced', 'v', 'k', 7000, 0, 0, 0, 0, 0, null, null), \
                  ($1, 2, 8000, 'priced', 'v', 'k', 7000, 0, 0, 1000, 0, 0, 7000, 1)";
    fixture.run(before, &[id.into()]).await;
    (fixture, id)
}

#[tokio::test]
async fn what_a_re_pricing_leaves_behind_is_clean() {
    let (fixture, _) = repriced().await;
    for report in [fixture.verify().await, fixture.verify_in_small_steps().await] {
        assert!(report.clean, "{report:#?}");
        assert_eq!(compared(&report, "repricings", "re-pricings"), 3);
        assert_eq!(compared(&report, "repricings", "operations priced again"), 1);
        assert_eq!(compared(&report, "repricings", "earlier costs"), 2);
    }
}

#[tokio::test]
async fn each_thing_that_is_changed_is_named() {
    let damages = [
        ("delete from repriced_operations", "its row names re-pricing 2, the last that kept what was before is none"),
        ("delete from repriced_operations where repricing = 2", "the last that kept what was before is 1"),
        (
            "delete from repriced_operations where repricing = 1",
            "names re-pricing 1 and billed_cost_nano_usd 7000, not none",
        ),
        (
            "update repricings set state = 'undone' where repricing = 2",
            "re-pricing 2, which is undone or was never asked for",
        ),
        ("delete from repricings where repricing = 2", "re-pricing 2, which is undone or was never asked for"),
        (
            "update repriced_operations set cost_nano_usd = 7001, input_cost_nano_usd = 7001 where repricing = 1",
            "billed_cost_nano_usd 7000 ≠ 7001, its first cost",
        ),
        (
            "update repriced_operations set earlier_repricing = null where repricing = 2",
            "names re-pricing none and billed",
        ),
        (
            "update repriced_operations set billed_cost_nano_usd = 1 where repricing = 2",
            "billed_cost_nano_usd 1, not 1 and 7000",
        ),
        (
            "update repriced_operations set output_cost_nano_usd = 1001 where repricing = 2",
            "before re-pricing 2: cost_nano_usd 8000 ≠ 8001, its parts",
        ),
    ];
    for (sql, expected) in damages {
        let (fixture, id) = repriced().await;
        assert!(fixture.run(sql, &[]).await > 0, "{sql}");
        for report in [fixture.verify().await, fixture.verify_in_small_steps().await] {
            assert_eq!(failing(&report), ["repricings"], "{sql}");
            let found = found(&report, "repricings");
            let is_named = |what: &String| what.starts_with(&format!("operation {id}: ")) && what.contains(expected);
            assert!(found.iter().any(is_named), "{sql}: {found:#?}");
        }
    }
}

#[tokio::test]
async fn a_first_cost_without_a_re_pricing_is_found() {
    let fixture = Fixture::filled().await;
    let id = operation(1, 9, 3_600_000).id;
    fixture.run("update operations set billed_cost_nano_usd = 5 where operation_id = $1", &[id.into()]).await;
    let report = fixture.verify().await;
    assert_eq!(
        found(&report, "repricings"),
        [format!("operation {id}: billed_cost_nano_usd 5 ≠ null, its first cost")]
    );
}

#[tokio::test]
async fn what_was_before_an_operation_that_is_gone_is_found() {
    for stray in [OperationId::lowest_at(operation(0, 0, -MINUTE_MS).id.time()), OperationId::MAX] {
        let (fixture, id) = repriced().await;
        let copy = "insert into repriced_operations (operation_id, repricing, cost_status, price_version) values ($1, 1, 'unpriced', 'v')";
        let place: [Value; 1] = [stray.into()];
        fixture.run(copy, &place).await;
        let report = fixture.verify().await;
        assert_eq!(failing(&report), ["repricings"]);
        let expected = format!("operation {stray}: repriced_operations has it, and operations does not");
        assert_eq!(found(&report, "repricings"), [expected]);
        fixture.run("delete from operations where operation_id = $1", &[id.into()]).await;
        assert_eq!(check(&fixture.verify().await, "repricings").findings_total, 2);
    }
}

#[tokio::test]
async fn models_that_do_not_add_up_to_their_re_pricing_are_found() {
    let (fixture, _) = repriced().await;
    fixture.run("update repricing_models set changed = changed - 1 where repricing = 3 and model = 'gpt-b'", &[]).await;
    let report = fixture.verify().await;
    assert_eq!(failing(&report), ["repricings"]);
    assert_eq!(found(&report, "repricings"), ["re-pricing 3 changed 5 operations, those of its models are 4"]);
}

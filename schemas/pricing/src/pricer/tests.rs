//! Columns of operations and the columns of their costs.

use arrow_array::{Int32Array, RecordBatch};
use arrow_schema::{Field, Schema};
use opstream_schemas::{NanoUsd, Operation, OperationId};

use super::*;

/// The columns of these operations that decide a price.
fn columns(operations: &[Operation]) -> RecordBatch {
    let texts = |text: fn(&Operation) -> Option<&str>| -> ArrayRef {
        Arc::new(operations.iter().map(text).collect::<StringArray>())
    };
    let ints = |int: fn(&Operation) -> Option<i64>| -> ArrayRef {
        Arc::new(operations.iter().map(int).collect::<Int64Array>())
    };
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("provider", texts(|operation| operation.provider.as_deref())),
        ("model", texts(|operation| operation.model.as_deref())),
        ("response_model", texts(|operation| operation.response_model.as_deref())),
        ("operation_type", texts(|operation| Some(&operation.operation_type))),
        ("processing", texts(|operation| operation.processing.as_deref())),
        ("service_tier", texts(|operation| operation.service_tier.as_deref())),
        ("billable_units", texts(|operation| operation.billable_units.as_deref())),
        ("metadata", texts(|operation| operation.metadata.as_deref())),
        ("http_status", Arc::new(operations.iter().map(|operation| operation.http_status).collect::<Int32Array>())),
        ("started_at_us", ints(|operation| Some(operation.started_at.micros()))),
        ("input_tokens", ints(|operation| operation.input_tokens)),
        ("output_tokens", ints(|operation| operation.output_tokens)),
        ("cache_read_tokens", ints(|operation| Some(operation.cache_read_tokens))),
        ("cache_write_tokens", ints(|operation| Some(operation.cache_write_tokens))),
        ("cache_write_1h_tokens", ints(|operation| Some(operation.cache_write_1h_tokens))),
        ("reasoning_tokens", ints(|operation| Some(operation.reasoning_tokens))),
        ("input_audio_tokens", ints(|operation| Some(operation.input_audio_tokens))),
        ("output_audio_tokens", ints(|operation| Some(operation.output_audio_tokens))),
        ("input_image_tokens", ints(|operation| Some(operation.input_image_tokens))),
        ("output_image_tokens", ints(|operation| Some(operation.output_image_tokens))),
        ("web_searches", ints(|operation| Some(operation.web_searches))),
        ("reported_cost_nano_usd", ints(|operation| operation.reported_cost_usd.map(NanoUsd::nanos))),
    ];
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|(_, column)| column).collect())
        .unwrap()
}

#[test]
fn every_row_has_the_price_of_its_own_counts_and_terms() {
    let at = UtcMicros::parse_rfc3339("2026-11-23T12:00:00Z").unwrap();
    let operation = Operation {
        operation_id: OperationId::generate(at.to_millis()),
        started_at: at,
        provider: Some("openai".to_owned()),
        model: Some("gpt-6.1-sol".to_owned()),
        input_tokens: Some(300_000),
        output_tokens: Some(0),
        ..Operation::default()
    };
    let text = |text: &str| Some(text.to_owned());
    let operations = [
        Operation { input_tokens: Some(1_000), ..operation.clone() },
        Operation {
            processing: text("batch"),
            metadata: text(r#"{"price_terms": {"region": "eu"}}"#),
            billable_units: text(r#"{"file_search": 2}"#),
            ..operation.clone()
        },
        Operation { service_tier: text("scale"), ..operation.clone() },
        Operation { operation_type: "execute_tool".to_owned(), ..operation.clone() },
        Operation { billable_units: text(r#"{"spells": 1}"#), ..operation },
    ];
    let prices = Pricer::new(Catalogue::embedded().clone(), CostPolicy::Catalogue).price(&columns(&operations));
    let costs: Vec<_> = prices.cost_nano_usd.as_primitive::<Int64Type>().iter().collect();
    assert_eq!(costs, [Some(2_000_000), Some(665_000_000), None, Some(0), None]);
    assert_eq!(costs[1].map(NanoUsd::from_nanos), Some(NanoUsd::parse("0.665").unwrap()));
    let texts = |column: &ArrayRef| -> Vec<Option<String>> {
        column.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
    };
    assert_eq!(
        texts(&prices.price_key),
        [text("gpt-6.1-sol"), text("gpt-6.1-sol above-272000 batch eu"), None, None, None]
    );
    assert_eq!(texts(&prices.price_model), [text("gpt-6.1-sol"), text("gpt-6.1-sol"), None, None, None]);
    let part = |name: &str| -> Vec<Option<i64>> {
        let place = COST_PARTS.iter().position(|part| *part == name).unwrap();
        prices.parts[place].as_primitive::<Int64Type>().iter().collect()
    };
    assert_eq!(part("input_cost_nano_usd"), [Some(2_000_000), Some(660_000_000), None, Some(0), None]);
    assert_eq!(part("unit_cost_nano_usd"), [Some(0), Some(5_000_000), None, Some(0), None]);
    assert_eq!(part("cache_savings_nano_usd"), [Some(0), Some(0), None, Some(0), None]);
    let statuses = ["priced", "priced", "unpriced", "free", "unpriced"];
    assert_eq!(texts(&prices.cost_status), statuses.map(text));
}

#[test]
fn a_policy_lets_reported_costs_count() {
    let at = UtcMicros::parse_rfc3339("2026-11-23T12:00:00Z").unwrap();
    let operation = |model: &str, reported: Option<i64>| Operation {
        started_at: at,
        provider: Some("openai".to_owned()),
        model: Some(model.to_owned()),
        input_tokens: Some(1_000),
        output_tokens: Some(0),
        reported_cost_usd: reported.map(NanoUsd::from_nanos),
        ..Operation::default()
    };
    let (known, unknown) = ("gpt-6.1-sol", "ft:gpt-6.1-sol:acme");
    let columns = columns(&[
        operation(known, None),
        operation(known, Some(1_500_000)),
        operation(unknown, Some(7)),
        operation(unknown, None),
    ]);
    let (ours, reported) = (Some(2_000_000), Some(1_500_000));
    for (policy, costs, statuses) in [
        (CostPolicy::Catalogue, [ours, ours, None, None], ["priced", "priced", "unpriced", "unpriced"]),
        (CostPolicy::CatalogueOrReported, [ours, ours, Some(7), None], ["priced", "priced", "reported", "unpriced"]),
        (
            CostPolicy::ReportedOrCatalogue,
            [ours, reported, Some(7), None],
            ["priced", "reported", "reported", "unpriced"],
        ),
    ] {
        let prices = Pricer::new(Catalogue::embedded().clone(), policy).price(&columns);
        let ints = |column: &ArrayRef| column.as_primitive::<Int64Type>().iter().collect::<Vec<_>>();
        assert_eq!(ints(&prices.cost_nano_usd), costs, "{policy:?}");
        assert_eq!(ints(&prices.catalogue_cost_nano_usd), [None, ours, None, None], "{policy:?}");
        let names = prices.cost_status.as_string::<i32>();
        assert_eq!(names.iter().flatten().collect::<Vec<_>>(), statuses, "{policy:?}");
        // The prices of the catalogue are named, whosever cost counts; parts are those of its own costs.
        let keys = prices.price_key.as_string::<i32>().iter().collect::<Vec<_>>();
        assert_eq!(keys, [Some(known), Some(known), None, None], "{policy:?}");
        let has_parts = statuses.map(|status| status == "priced");
        for part in &prices.parts {
            assert_eq!(ints(part).iter().map(Option::is_some).collect::<Vec<_>>(), has_parts, "{policy:?}");
        }
    }
}

#[test]
fn another_catalogue_prices_from_the_next_batch_on() {
    let own = "schema = 1\ncatalogue = 2026-11-24\ncurrency = \"USD\"\nunit = \"per_mtok\"\nprovider = \"openai\"\n\n[[model]]\nid = \"gpt-4o\"\n\
               source = \"our contract\"\nchecked_on = 2026-11-24\n\n[[model.interval]]\nrates = { input = \"1\", output = \"2\" }\n";
    let operation = Operation {
        operation_id: OperationId::generate(UtcMicros::from_micros(1_795_000_000_000_000).to_millis()),
        started_at: UtcMicros::from_micros(1_795_000_000_000_000),
        provider: Some("openai".to_owned()),
        model: Some("gpt-4o".to_owned()),
        input_tokens: Some(1_000_000),
        output_tokens: Some(0),
        ..Operation::default()
    };
    let columns = columns(&[operation]);
    let mut pricer = Pricer::new(Catalogue::embedded().clone(), CostPolicy::Catalogue);
    let cost = |prices: &PriceColumns| prices.cost_nano_usd.as_primitive::<Int64Type>().value(0);
    let before = pricer.price(&columns);
    assert_eq!(cost(&before), 2_500_000_000);
    pricer.replace_catalogue(Arc::new(Catalogue::embedded().overlay(&[("own.toml", own)]).unwrap()));
    let after = pricer.price(&columns);
    assert_eq!(cost(&after), 1_000_000_000);
    let version = |prices: &PriceColumns| prices.price_version.as_string::<i32>().value(0).to_owned();
    assert_ne!(version(&after), version(&before));
}

#[test]
fn hostile_names_are_not_remembered() {
    let mut pricer = Pricer::new(Catalogue::embedded().clone(), CostPolicy::Catalogue);
    let long = "x".repeat(300);
    let names = Names { provider: Some("openai"), model: Some("gpt-4o"), response_model: Some(&long) };
    assert_eq!(pricer.key(names), None);
    assert!(pricer.keys.is_empty());
    // The length decides what is remembered, not what is found.
    let padded = format!("gpt-4o{}", " ".repeat(300));
    let names = Names { model: Some(&padded), response_model: None, ..names };
    let found = pricer.key(names);
    assert!(found.is_some() && pricer.keys.is_empty());
    assert_eq!(pricer.key(Names { model: Some("gpt-4o"), ..names }), found);
    assert_eq!(pricer.keys.len(), 1);
}

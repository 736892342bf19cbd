//! A bill's lines, and catalogues laid over others.

use super::*;
use crate::Operation;

#[test]
fn a_bill_has_a_line_for_everything_that_costs() {
    let catalogue = Catalogue::embedded();
    let operation = Operation {
        provider: Some("anthropic".to_owned()),
        model: Some("claude-opus-5-5".to_owned()),
        started_at: UtcMicros::parse_rfc3339(NOW).unwrap(),
        input_tokens: Some(1_000),
        cache_read_tokens: 600,
        cache_write_tokens: 100,
        output_tokens: Some(50),
        reasoning_tokens: 20,
        web_searches: 2,
        metadata: Some(r#"{"price_terms": {"region": "us"}}"#.to_owned()),
        ..Operation::default()
    };
    let key = catalogue.find("anthropic", "claude-opus-5-5");
    let explanation = catalogue.explain(key, &Charge::from(&operation));
    let lines: Vec<String> = explanation
        .lines
        .iter()
        .map(|line| format!("{} {} at {} = {}", line.quantity, line.item, line.rate, line.amount))
        .collect();
    assert_eq!(
        lines,
        [
            "2 web_search at 10000 = 0.02",
            "300 input at 4.4 = 0.00132",
            "600 cache_read at 0.22 = 0.000132",
            "100 cache_write at 5.5 = 0.00055",
            "50 output at 22 = 0.0011",
        ]
    );
    assert_eq!(explanation.priced.cost, Some(NanoUsd::parse("0.023102").unwrap()));
    assert_eq!(explanation.priced.used.unwrap().to_string(), "claude-opus-5-5 us");
    let parts = explanation.priced.parts.unwrap();
    let split =
        [parts.input, parts.cache_read, parts.cache_write, parts.output, parts.units].map(|part| part.to_string());
    assert_eq!(split, ["0.00132", "0.000132", "0.00055", "0.0011", "0.02"]);
    // 600 read at 0.22 in place of 4.4, and 100 written at 5.5.
    assert_eq!(parts.cache_savings, NanoUsd::parse("0.002398").unwrap());
}

#[test]
fn a_refusal_says_why_and_has_no_lines() {
    let searched = charge(Usage { web_searches: 1, ..Usage::default() }, NOW);
    let catalogue = Catalogue::embedded();
    let explanation = catalogue.explain(catalogue.find("openai", "gpt-4o"), &searched);
    assert!(explanation.lines.is_empty());
    assert_eq!(explanation.reason.unwrap().to_string(), "input_tokens is unknown");
    assert_eq!(
        Reason::Terms(Property::Speed).to_string(),
        "the catalogue has no price of the model for the operation's speed, at its time"
    );
    assert_eq!(Reason::NoPriceAtTime.status(), CostStatus::NoPriceAtTime);
}

const OWN: &str = r#"
schema = 1
catalogue = 2026-12-24
currency = "USD"
unit = "per_mtok"
provider = "openai"

[[model]]
id = "gpt-4o"
excludes = ["o3"]
source = "our contract"
checked_on = 2026-12-24

[[model.interval]]
rates = { input = "1", output = "2" }

[[model]]
id = "house-model"
source = "our own servers"
checked_on = 2026-12-24

[[model.interval]]
rates = { input = "0", output = "0" }
"#;

#[test]
fn prices_laid_over_others_hide_only_what_they_name() {
    let embedded = Catalogue::embedded();
    let own = embedded.overlay(&[("own.toml", OWN)]).unwrap();
    let cost = |provider, model| {
        let priced = own.price(own.find(provider, model), &charge(tokens(1_000_000, 0), NOW));
        priced.cost.map(|cost| cost.to_string())
    };
    assert_eq!(cost("openai", "gpt-4o-2024-11-20").as_deref(), Some("1.00"));
    assert_eq!(cost("openai", "openai/gpt-4o").as_deref(), Some("1.00"));
    assert_eq!(cost("openai", "house-model").as_deref(), Some("0.00"));
    assert_eq!(cost("openai", "o3"), None);
    assert_eq!(cost("openai", "gpt-4o-mini").as_deref(), Some("0.15"));
    assert_eq!(cost("anthropic", "claude-opus-5-5").as_deref(), Some("4.00"));
    let known = embedded.find("anthropic", "claude-opus-5-5").unwrap();
    assert_eq!(own.model(known).id, "claude-opus-5-5");
    assert!(own.version().starts_with("2026-12-24-"), "{}", own.version());
    assert_ne!(own.version(), Catalogue::parse(&[("own.toml", OWN)]).unwrap().version());
    assert!(matches!(embedded.overlay(&[]), Err(CatalogueError::Empty)));
    let twice = embedded.overlay(&[("a.toml", OWN), ("b.toml", OWN)]).unwrap_err();
    assert_eq!(twice.to_string(), "price file b.toml, field provider");
}

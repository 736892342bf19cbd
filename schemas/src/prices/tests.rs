//! The embedded catalogue: published figures, dates of price changes, and names as they really arrive.

use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy};

use super::*;
use crate::{NanoUsd, UtcMicros};

const NOW: &str = "2026-11-23T12:00:00Z";

fn tokens(input: i64, output: i64) -> Usage {
    Usage { input_tokens: Some(input), output_tokens: Some(output), ..Usage::default() }
}

fn charge(usage: Usage, at: &str) -> Charge {
    Charge { started_at: UtcMicros::parse_rfc3339(at).unwrap(), usage, terms: Terms::STANDARD }
}

/// Prices by the name `provider/model`.
fn price(name: &str, charge: &Charge) -> Priced {
    let (provider, model) = name.split_once('/').unwrap();
    let catalogue = Catalogue::embedded();
    catalogue.price(catalogue.find(provider, model), charge)
}

#[track_caller]
fn assert_cost(name: &str, usage: Usage, at: &str, usd: &str) {
    let expected = Priced { cost: Some(NanoUsd::parse(usd).unwrap()), status: CostStatus::Priced };
    assert_eq!(price(name, &charge(usage, at)), expected, "{name} at {at}");
}

#[track_caller]
fn assert_without_cost(name: &str, charge: &Charge, status: CostStatus) {
    assert_eq!(price(name, charge), Priced { cost: None, status }, "{name}");
}

#[test]
fn standard_rates_give_the_published_figures() {
    assert_cost("anthropic/claude-sonnet-4-5", tokens(1_000, 1_000), NOW, "0.018");
    assert_cost("gemini/gemini-2.5-pro", tokens(200_000, 10_000), NOW, "0.35");
    assert_cost("x_ai/grok-4.7", tokens(199_999, 0), NOW, "0.399998");
    assert_cost("anthropic/claude-haiku-5-5", tokens(100_000, 1_000), NOW, "0.0105");
    assert_cost("anthropic/claude-opus-4-6", tokens(250_000, 0), "2026-03-13T00:00:00Z", "1.25");
    assert_cost("openai/text-embedding-3-small", Usage { output_tokens: None, ..tokens(1_000_000, 0) }, NOW, "0.02");
    assert_cost("groq/openai/gpt-oss-120b", tokens(1_000_000, 1_000_000), NOW, "0.75");
}

#[test]
fn cached_tokens_are_billed_at_their_own_prices_and_only_once() {
    let read = Usage { cache_read_tokens: 100_000, ..tokens(101_000, 500) };
    assert_cost("anthropic/claude-opus-4-5", read, NOW, "0.0675");
    let written = Usage { cache_write_tokens: 10_000, cache_write_1h_tokens: 1_000, ..tokens(12_000, 0) };
    assert_cost("anthropic/claude-opus-4-5", written, NOW, "0.0775");
    // No cache prices at Cohere, no write price at GPT-4o: those tokens cost what input costs.
    let both = Usage { cache_read_tokens: 400_000, cache_write_tokens: 300_000, ..tokens(1_000_000, 0) };
    assert_cost("cohere/command-a", both, NOW, "2.50");
    assert_cost("openai/gpt-4o", both, NOW, "2.00");
}

#[test]
fn what_needs_a_tier_a_schedule_or_other_terms_is_unpriced() {
    let unpriced = |name, usage, at| assert_without_cost(name, &charge(usage, at), CostStatus::Unpriced);
    unpriced("gemini/gemini-2.5-pro", tokens(300_000, 10_000), NOW);
    unpriced("gemini/gemini-2.5-pro", tokens(200_001, 10_000), NOW);
    unpriced("x_ai/grok-4.7", tokens(200_000, 0), NOW);
    unpriced("anthropic/claude-haiku-5-5", tokens(100_001, 1_000), NOW);
    unpriced("anthropic/claude-opus-4-6", tokens(250_000, 0), "2026-03-12T23:59:59.999999Z");
    unpriced("deepseek/deepseek-v4-pro", tokens(1_000_000, 0), "2026-11-24T02:00:00Z");
    unpriced("deepseek/deepseek-v4-pro", tokens(1_000_000, 0), "2026-11-28T02:00:00Z");
    unpriced("deepseek/deepseek-v4-pro", tokens(1_000_000, 0), "2026-11-24T04:00:00Z");
    unpriced("gemini/gemini-2.5-flash", Usage { input_audio_tokens: 1, ..tokens(1_000, 0) }, NOW);
    unpriced("openai/gpt-5", Usage { web_searches: 1, ..tokens(1_000, 0) }, NOW);
    unpriced("openai/gpt-5", Usage { has_other_units: true, ..tokens(1_000, 0) }, NOW);
    let in_batch = Charge { terms: Terms { is_standard: false, ..Terms::STANDARD }, ..charge(tokens(1_000, 0), NOW) };
    assert_without_cost("openai/gpt-5", &in_batch, CostStatus::Unpriced);
}

#[test]
fn a_cost_that_no_real_operation_has_is_unpriced() {
    assert_cost("openai/gpt-4o", tokens(1_000_000_000, 750_000_000), NOW, "10000");
    let beyond = charge(tokens(1_000_000_000, 750_000_001), NOW);
    assert_without_cost("openai/gpt-4o", &beyond, CostStatus::Unpriced);
}

#[test]
fn cached_tokens_count_towards_a_tier() {
    let cached = Usage { cache_read_tokens: 200_000, ..tokens(200_001, 0) };
    assert_without_cost("gemini/gemini-2.5-pro", &charge(cached, NOW), CostStatus::Unpriced);
}

#[test]
fn audio_without_a_price_of_its_own_is_ordinary_input() {
    assert_cost("openai/gpt-5", Usage { input_audio_tokens: 500, ..tokens(1_000, 0) }, NOW, "0.00125");
}

#[test]
fn a_price_change_takes_effect_at_its_instant() {
    let million = tokens(1_000_000, 0);
    assert_cost("gemini/gemini-4-argon", million, "2026-11-30T23:59:59.999999Z", "2.00");
    assert_cost("gemini/gemini-4-argon", million, "2026-12-01T00:00:00Z", "4.00");
    let both = tokens(1_000_000, 1_000_000);
    assert_cost("openai/o3", both, "2025-06-09T23:59:59.999999Z", "50");
    assert_cost("openai/o3", both, "2025-06-10T00:00:00Z", "10");
    assert_cost("deepseek/deepseek-v4-pro", both, "2026-08-16T23:59:59.999999Z", "1.305");
    assert_cost("mistral/mistral-large-4", both, "2026-10-19T23:59:59Z", "2.77");
    assert_cost("mistral/mistral-large-4", both, "2026-10-20T00:00:00Z", "5.54");
    assert_cost("mistral/mistral-large-4", both, "2026-10-29T00:00:00Z", "2.80");
    assert_cost("zai/glm-5.3-flash", both, "2026-09-09T23:59:59Z", "0.325");
    assert_cost("zai/glm-5.3-flash", both, "2026-09-10T00:00:00Z", "0.65");
    let short = tokens(100_000, 100_000);
    assert_cost("openai/gpt-5.6-sol", short, "2026-08-20T23:59:59.999999Z", "3.50");
    assert_cost("openai/gpt-5.6-sol", short, "2026-08-21T00:00:00Z", "2.40");
    assert_cost("openai/gpt-5.6-terra", short, "2026-07-29T23:59:59Z", "1.75");
    assert_cost("openai/gpt-5.6-terra", short, "2026-07-30T00:00:00Z", "1.40");
    assert_cost("openai/gpt-5.6-luna", short, "2026-07-29T23:59:59Z", "0.70");
    assert_cost("openai/gpt-5.6-luna", short, "2026-07-30T00:00:00Z", "0.14");
}

#[test]
fn a_cost_is_rounded_once_half_to_even() {
    // 3 625 pico-dollars per cached token: 362.5, 1 087.5 and 1 812.5 nano-dollars.
    for (cached, nanos) in [(100, 362), (300, 1_088), (500, 1_812)] {
        let usage = Usage { cache_read_tokens: cached, ..tokens(cached, 0) };
        let priced = price("deepseek/deepseek-v4-pro", &charge(usage, "2026-08-01T00:00:00Z"));
        assert_eq!(priced.cost, Some(NanoUsd::from_nanos(nanos)));
    }
}

#[test]
fn an_unknown_or_contradictory_count_is_unpriced_and_never_zero() {
    let unpriced = |usage| assert_without_cost("openai/gpt-4o", &charge(usage, NOW), CostStatus::Unpriced);
    unpriced(Usage::default());
    unpriced(Usage { output_tokens: None, ..tokens(1_000, 0) });
    unpriced(Usage { input_tokens: None, ..tokens(0, 1_000) });
    unpriced(tokens(-1, 0));
    unpriced(tokens(0, -1));
    unpriced(Usage { cache_read_tokens: 1_001, ..tokens(1_000, 0) });
    unpriced(Usage { cache_read_tokens: i64::MAX, cache_write_tokens: i64::MAX, ..tokens(i64::MAX, 0) });
    unpriced(tokens(i64::MAX, i64::MAX));
    let embedding_with_output = charge(tokens(1_000, 1), NOW);
    assert_without_cost("openai/text-embedding-3-small", &embedding_with_output, CostStatus::Unpriced);
}

#[test]
fn what_nobody_bills_is_free_even_for_an_unknown_model() {
    let free = Priced { cost: Some(NanoUsd::ZERO), status: CostStatus::Free };
    let with = |terms, usage| Charge { terms, ..charge(usage, NOW) };
    let tool = Terms { bills_tokens: false, ..Terms::STANDARD };
    assert_eq!(price("nobody/knows", &with(tool, tokens(1_000, 1_000))), free);
    let refused = Terms { was_refused: true, ..Terms::STANDARD };
    assert_eq!(price("openai/gpt-4o", &with(refused, Usage::default())), free);
    assert_cost("openai/gpt-4o", tokens(0, 0), NOW, "0");
    let answered_then_failed = price("openai/gpt-4o", &with(refused, tokens(1_000_000, 0)));
    assert_eq!(answered_then_failed.cost, Some(NanoUsd::parse("2.5").unwrap()));
}

#[test]
fn every_model_is_found_by_its_name_its_snapshots_and_its_qualified_names() {
    let catalogue = Catalogue::embedded();
    assert_eq!(catalogue.models().len(), 66);
    for model in catalogue.models() {
        let id = &model.id;
        for name in [
            id.clone(),
            id.to_ascii_uppercase(),
            format!(" {id} "),
            format!("{id}-20260102"),
            format!("{id}-2026-01-02"),
            format!("{id}@20260102"),
            format!("models/{id}"),
            format!("{}/{id}", model.provider),
        ] {
            let found = catalogue.find(&model.provider, &name).map(|key| catalogue.model(key).name());
            assert_eq!(found, Some(model.name()), "{name}");
        }
    }
}

#[test]
fn names_arrive_in_many_forms() {
    let found = |provider, model| {
        let catalogue = Catalogue::embedded();
        catalogue.find(provider, model).map(|key| catalogue.model(key).id.as_str())
    };
    for (provider, model, id) in [
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("Anthropic", "anthropic/claude-4.5-opus", "claude-opus-4-5"),
        ("gemini", "models/gemini-2.5-pro", "gemini-2.5-pro"),
        ("google", "gemini/gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"),
        ("gcp.vertex_ai", "google/gemini-2.5-flash-lite", "gemini-2.5-flash-lite"),
        ("groq", "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
        ("groq", "groq/openai/gpt-oss-20b", "openai/gpt-oss-20b"),
        ("openai", "gpt-4o-2024-11-20", "gpt-4o"),
        ("openai", "gpt-5-2-2025-12-11", "gpt-5.2"),
        ("grok", "grok-4.7-latest", "grok-4.7"),
        ("xai", "x-ai/grok-4.6", "grok-4.6"),
        ("minimax", "MiniMax-M3", "minimax-m3"),
        ("zai", "GLM-5.3-Flash", "glm-5.3-flash"),
    ] {
        assert_eq!(found(provider, model), Some(id), "{provider} {model}");
    }
    for (provider, model) in [
        ("openai", "gpt-5.9-foo"),
        ("openai", "gpt-5-pro"),
        ("openai", "gpt-4o-2024-05-13"),
        ("openai", "ft:gpt-4o-2024-08-06:org"),
        ("openai", "gpt-4o-audio-preview"),
        ("anthropic", "claude-opus-5-9"),
        ("anthropic", "openai/gpt-4o"),
        ("gemini", "gemini-2.5-pro-preview-tts"),
        ("gemini", "gemini-flash-latest"),
        ("mistral", "mistral-large-latest"),
        ("openrouter", "openai/gpt-4o"),
        ("openrouter", "some-lab/unknown-model-7b"),
        ("azure", "gpt-4o"),
        ("openai", ""),
        ("", "gpt-4o"),
    ] {
        assert_eq!(found(provider, model), None, "{provider} {model}");
    }
}

#[test]
fn the_answers_model_is_billed_before_the_requested_one() {
    let catalogue = Catalogue::embedded();
    let billed =
        |model, response| catalogue.find_billed("openai", model, response).map(|key| catalogue.model(key).id.as_str());
    assert_eq!(billed(Some("gpt-4o"), Some("gpt-4o-mini-2024-07-18")), Some("gpt-4o-mini"));
    assert_eq!(billed(Some("gpt-4o"), None), Some("gpt-4o"));
    assert_eq!(billed(Some("gpt-4o"), Some(" ")), Some("gpt-4o"));
    assert_eq!(billed(Some("gpt-4o"), Some("gpt-4o-2024-05-13")), None);
    assert_eq!(billed(None, None), None);
}

#[test]
fn a_status_keeps_its_code_and_name() {
    let known = CostStatus::ALL.map(|status| (status.code(), status.name()));
    assert_eq!(known, [(1, "priced"), (2, "unpriced"), (3, "no_price_at_time"), (4, "free")]);
    for status in CostStatus::ALL {
        assert_eq!(CostStatus::from_code(status.code()), Some(status));
        assert_eq!(CostStatus::from_name(status.name()), Some(status));
        assert_eq!(serde_json::to_string(&status).unwrap(), format!("{:?}", status.name()));
    }
    assert_eq!(CostStatus::from_code(5), None);
}

/// Dollars per million tokens as published: input, output, cache read, cache write, cache write 1 h.
const PUBLISHED: [(&str, [&str; 5]); 5] = [
    ("anthropic/claude-opus-5-5", ["4", "20", "0.2", "5", "8"]),
    ("openai/gpt-5", ["1.25", "10", "0.125", "1.25", "1.25"]),
    ("gemini/gemini-4-argon", ["2", "10", "0.1", "2", "2"]),
    ("groq/openai/gpt-oss-20b", ["0.075", "0.3", "0.0375", "0.075", "0.075"]),
    ("moonshot/kimi-k3", ["3", "15", "0.3", "3", "6"]),
];

/// Parts of a prompt, then the output: input without cache, cache read, cache write, cache write 1 h, output.
fn counts() -> impl Strategy<Value = [i64; 5]> {
    prop::array::uniform5(prop_oneof![Just(0_i64), 0_i64..1_000, 0_i64..100_000_000])
}

fn usage([fresh, read, written, written_1h, output]: [i64; 5]) -> Usage {
    Usage {
        cache_read_tokens: read,
        cache_write_tokens: written,
        cache_write_1h_tokens: written_1h,
        ..tokens(fresh + read + written + written_1h, output)
    }
}

proptest! {
    #[test]
    fn a_cost_equals_an_independent_decimal_computation(place in 0..PUBLISHED.len(), counts in counts()) {
        let (name, [input, output, read, write, write_1h]) = PUBLISHED[place];
        let exact: Decimal = [input, read, write, write_1h, output]
            .into_iter()
            .zip(counts)
            .map(|(rate, tokens)| rate.parse::<Decimal>().unwrap() * Decimal::from(tokens) / Decimal::from(1_000_000))
            .sum();
        let expected = exact.round_dp_with_strategy(9, RoundingStrategy::MidpointNearestEven);
        let priced = price(name, &charge(usage(counts), NOW));
        prop_assert_eq!(priced.status, CostStatus::Priced);
        prop_assert_eq!(priced.cost.unwrap().to_decimal_string().parse::<Decimal>().unwrap(), expected);
    }

    #[test]
    fn one_more_token_never_costs_less(place in 0..PUBLISHED.len(), counts in counts(), class in 0_usize..5) {
        let (name, _) = PUBLISHED[place];
        let mut more = counts;
        more[class] += 1;
        let cost = |counts| price(name, &charge(usage(counts), NOW)).cost.unwrap();
        prop_assert!(cost(counts) <= cost(more));
    }
}

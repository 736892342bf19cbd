//! What operations of the embedded catalogue cost, by their counts and their time.

use super::*;

/// Figures that were published or computed by others.
#[test]
fn known_operations_cost_to_the_last_digit_what_is_known() {
    assert_cost("anthropic/claude-sonnet-4-5", tokens(1_000, 1_000), NOW, "0.018");
    assert_cost("gemini/gemini-2.5-pro", tokens(300_000, 10_000), NOW, "0.90");
    assert_cost("gemini/gemini-2.5-pro", tokens(200_000, 10_000), NOW, "0.35");
    assert_cost("gemini/gemini-2.5-pro", tokens(200_001, 10_000), NOW, "0.6500025");
    let read = Usage { cache_read_tokens: 100_000, ..tokens(101_000, 500) };
    assert_cost("anthropic/claude-opus-4-5", read, NOW, "0.0675");
    assert_cost("x_ai/grok-4.7", tokens(200_000, 0), NOW, "0.80");
    assert_cost("x_ai/grok-4.7", tokens(199_999, 0), NOW, "0.399998");
    assert_cost("anthropic/claude-haiku-5-5", tokens(100_001, 1_000), NOW, "0.0525005");
    let million = tokens(1_000_000, 0);
    assert_cost("deepseek/deepseek-v4-pro", million, "2026-11-24T02:00:00Z", "1.32");
    assert_cost("deepseek/deepseek-v4-pro", million, "2026-11-28T02:00:00Z", "0.66");
    assert_cost("deepseek/deepseek-v4-pro", million, "2026-11-24T04:00:00Z", "0.66");
    assert_cost("anthropic/claude-opus-4-6", tokens(250_000, 0), "2026-03-12T12:00:00Z", "2.50");
    assert_cost("anthropic/claude-opus-4-6", tokens(250_000, 0), "2026-03-13T00:00:00Z", "1.25");
    assert_cost("gemini/gemini-4-argon", million, "2026-11-30T12:00:00Z", "2.00");
    assert_cost("gemini/gemini-4-argon", million, "2026-12-01T00:00:00Z", "4.00");
    assert_cost("openai/text-embedding-3-small", Usage { output_tokens: None, ..million }, NOW, "0.02");
    assert_cost("groq/openai/gpt-oss-120b", tokens(1_000_000, 1_000_000), NOW, "0.75");
}

#[test]
fn cached_tokens_are_billed_at_their_own_prices_and_only_once() {
    let written = Usage { cache_write_tokens: 10_000, cache_write_1h_tokens: 1_000, ..tokens(12_000, 0) };
    assert_cost("anthropic/claude-opus-4-5", written, NOW, "0.0775");
    // No cache prices at Cohere, no write price at GPT-4o: those tokens cost what input costs.
    let both = Usage { cache_read_tokens: 400_000, cache_write_tokens: 300_000, ..tokens(1_000_000, 0) };
    assert_cost("cohere/command-a", both, NOW, "2.50");
    assert_cost("openai/gpt-4o", both, NOW, "2.00");
}

#[test]
fn cached_tokens_count_towards_a_tier_and_cost_what_it_says() {
    let cached = Usage { cache_read_tokens: 200_000, ..tokens(200_001, 0) };
    assert_cost("gemini/gemini-2.5-pro", cached, NOW, "0.0500025");
}

#[test]
fn long_retention_costs_what_the_provider_charges_for_it() {
    let written = Usage { cache_write_1h_tokens: 1_000_000, ..tokens(1_000_000, 0) };
    assert_cost("anthropic/claude-opus-5-5", written, NOW, "8");
    assert_cost("openai/gpt-6.1-terra", Usage { cache_write_1h_tokens: 100_000, ..tokens(100_000, 0) }, NOW, "0.25");
    assert_cost("openai/gpt-6.1-terra", written, NOW, "5");
}

#[test]
fn audio_costs_what_the_model_says_of_it() {
    assert_cost("openai/gpt-5", Usage { input_audio_tokens: 500, ..tokens(1_000, 0) }, NOW, "0.00125");
    let audio = Usage { input_audio_tokens: 400_000, ..tokens(1_000_000, 0) };
    assert_cost("gemini/gemini-2.5-flash", audio, NOW, "0.58");
    let all_read = Usage { cache_read_tokens: 1_000_000, ..audio };
    assert_cost("gemini/gemini-2.5-flash", all_read, NOW, "0.058");
    let half_read = Usage { cache_read_tokens: 500_000, ..audio };
    assert_unpriced("gemini/gemini-2.5-flash", &charge(half_read, NOW), Reason::CachedMedia);
}

#[test]
fn units_are_billed_beside_the_tokens() {
    let searched = Usage { web_searches: 3, ..tokens(1_000, 0) };
    assert_cost("openai/gpt-5", searched, NOW, "0.03125");
    assert_cost("gemini/gemini-2.5-pro", Usage { web_searches: 1, ..tokens(0, 0) }, NOW, "0.035");
    let files = Usage { billable_units: Some(r#"{"file_search": 2}"#), ..searched };
    assert_cost("openai/gpt-5", files, NOW, "0.03625");
    // Every request to Perplexity costs something.
    assert_cost("perplexity/sonar", tokens(1_000, 1_000), NOW, "0.014");
    for units in [r#"{"pages": 1}"#, r#"{"file_search": 2, "pages": 1}"#, "pages", r#"{"file_search": 0.5}"#] {
        let usage = Usage { billable_units: Some(units), ..tokens(1_000, 0) };
        assert_unpriced("openai/gpt-5", &charge(usage, NOW), Reason::Units);
    }
    assert_cost("openai/gpt-5", Usage { billable_units: Some(r#"{"pages": 0}"#), ..tokens(1_000, 0) }, NOW, "0.00125");
    assert_unpriced("deepseek/deepseek-v4-pro", &charge(searched, NOW), Reason::Units);
}

#[test]
fn a_cost_that_no_real_operation_has_is_unpriced() {
    assert_cost("openai/gpt-4o", tokens(1_000_000_000, 750_000_000), NOW, "10000");
    let beyond = charge(tokens(1_000_000_000, 750_000_001), NOW);
    assert_unpriced("openai/gpt-4o", &beyond, Reason::TooMuch);
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
        assert_eq!(priced.0, Some(NanoUsd::from_nanos(nanos)));
    }
}

#[test]
fn an_unknown_or_contradictory_count_is_unpriced_and_never_zero() {
    let unpriced = |usage, why| assert_unpriced("openai/gpt-4o", &charge(usage, NOW), why);
    unpriced(Usage::default(), Reason::UnknownInput);
    unpriced(Usage { output_tokens: None, ..tokens(1_000, 0) }, Reason::UnknownOutput);
    unpriced(Usage { input_tokens: None, ..tokens(0, 1_000) }, Reason::UnknownInput);
    unpriced(tokens(-1, 0), Reason::Counts);
    unpriced(tokens(0, -1), Reason::Counts);
    unpriced(Usage { web_searches: -1, ..tokens(0, 0) }, Reason::Counts);
    unpriced(Usage { cache_read_tokens: 1_001, ..tokens(1_000, 0) }, Reason::Counts);
    unpriced(
        Usage { cache_read_tokens: i64::MAX, cache_write_tokens: i64::MAX, ..tokens(i64::MAX, 0) },
        Reason::Counts,
    );
    unpriced(tokens(i64::MAX, i64::MAX), Reason::TooMuch);
    let embedding_with_output = charge(tokens(1_000, 1), NOW);
    assert_unpriced("openai/text-embedding-3-small", &embedding_with_output, Reason::Class(TokenClass::Output));
    assert_unpriced("openai/gpt-5.9-foo", &charge(tokens(1, 1), NOW), Reason::UnknownModel);
}

#[test]
fn what_nobody_bills_is_free_even_for_an_unknown_model() {
    let free = (Some(NanoUsd::ZERO), CostStatus::Free);
    let with = |terms, usage| Charge { terms, ..charge(usage, NOW) };
    let tool = Terms { bills_tokens: false, ..Terms::STANDARD };
    assert_eq!(price("nobody/knows", &with(tool, tokens(1_000, 1_000))), free);
    let refused = Terms { was_refused: true, ..Terms::STANDARD };
    assert_eq!(price("openai/gpt-4o", &with(refused, Usage::default())), free);
    assert_cost("openai/gpt-4o", tokens(0, 0), NOW, "0");
    let answered_then_failed = price("openai/gpt-4o", &with(refused, tokens(1_000_000, 0)));
    assert_eq!(answered_then_failed.0, Some(NanoUsd::parse("2.5").unwrap()));
}

/// The example of docs/prices.md.
#[test]
fn the_documented_example_costs_what_the_page_says() {
    let usage = Usage {
        cache_read_tokens: 100_000,
        cache_write_tokens: 20_000,
        reasoning_tokens: 800,
        web_searches: 1,
        ..tokens(300_000, 2_000)
    };
    let others = PriceTerms { region: Some("us"), ..PriceTerms::default() };
    let terms = Terms { service_tier: Some("flex"), others, ..Terms::STANDARD };
    assert_charged("openai/gpt-6.1-sol", &Charge { terms, ..charge(usage, NOW) }, "0.4885");
}

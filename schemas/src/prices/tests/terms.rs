//! What batch, service tier, speed and region do to a price, and what stays unpriced.

use super::*;

/// A charge of a million tokens each way under these words.
fn under<'a>(processing: Option<&'a str>, service_tier: Option<&'a str>) -> Charge<'a> {
    let terms = Terms { processing, service_tier, ..Terms::STANDARD };
    Charge { terms, ..charge(tokens(100_000, 100_000), NOW) }
}

fn elsewhere<'a>(region: &'a str, charge: &Charge<'a>) -> Charge<'a> {
    let others = PriceTerms { region: Some(region), ..PriceTerms::default() };
    Charge { terms: Terms { others, ..charge.terms }, ..*charge }
}

fn key(name: &str, charge: &Charge<'_>) -> String {
    let (provider, model) = name.split_once('/').unwrap();
    let catalogue = Catalogue::embedded();
    catalogue.price(catalogue.find(provider, model), charge).used.unwrap().to_string()
}

#[test]
fn terms_have_prices_of_their_own() {
    let flagship = "openai/gpt-6.1-sol";
    assert_charged(flagship, &under(None, None), "1.2");
    assert_charged(flagship, &under(Some("batch"), Some("default")), "0.6");
    assert_charged(flagship, &under(None, Some("flex")), "0.6");
    assert_charged(flagship, &under(None, Some("PRIORITY")), "2.4");
    assert_charged(flagship, &under(None, Some("fast")), "2.4");
    assert_charged(flagship, &under(None, Some("ultrafast")), "7.2");
    assert_charged(flagship, &under(Some("realtime"), Some("auto")), "1.2");
    assert_charged("gemini/gemini-2.5-pro", &under(None, Some("ON_DEMAND_FLEX")), "0.5625");
    assert_charged("gemini/gemini-2.5-pro", &under(None, Some("ON_DEMAND")), "1.125");
}

/// The tier of a fast answer says so: it has no field for its speed.
#[test]
fn a_fast_answer_of_anthropic_is_known_by_its_tier_or_its_speed() {
    assert_charged("anthropic/claude-opus-5-5", &under(None, Some("fast")), "4.8");
    let others = PriceTerms { speed: Some("fast"), ..PriceTerms::default() };
    let by_speed = Charge { terms: Terms { others, ..Terms::STANDARD }, ..under(None, None) };
    assert_charged("anthropic/claude-opus-5-5", &by_speed, "4.8");
    let by_both = Charge { terms: Terms { service_tier: Some("fast"), ..by_speed.terms }, ..by_speed };
    assert_charged("anthropic/claude-opus-5-5", &by_both, "4.8");
}

#[test]
fn what_has_no_price_under_its_terms_is_unpriced() {
    let flagship = "openai/gpt-6.1-sol";
    assert_unpriced(flagship, &under(None, Some("scale")), Reason::Terms(Property::ServiceTier));
    assert_unpriced(flagship, &under(Some("later"), None), Reason::Terms(Property::Processing));
    assert_unpriced(flagship, &under(Some("batch"), Some("flex")), Reason::CombinedTerms);
    assert_unpriced("anthropic/claude-haiku-4-5", &under(None, Some("priority")), Reason::Terms(Property::ServiceTier));
    let before_it_was_known =
        Charge { started_at: UtcMicros::parse_rfc3339("2026-10-13T00:00:00Z").unwrap(), ..under(Some("batch"), None) };
    assert_unpriced(flagship, &before_it_was_known, Reason::Terms(Property::Processing));
}

#[test]
fn a_tier_moves_the_terms_prices_too() {
    let long = |charge: Charge<'static>| Charge { usage: tokens(300_000, 100_000), ..charge };
    assert_charged("openai/gpt-6.1-sol", &long(under(None, None)), "2.7");
    assert_charged("openai/gpt-6.1-sol", &long(under(None, Some("flex"))), "1.35");
    assert_eq!(key("openai/gpt-6.1-sol", &long(under(None, Some("flex")))), "gpt-6.1-sol above-272000 flex");
    // Nobody publishes a price for a long prompt with priority.
    assert_charged("openai/gpt-5.5", &under(None, Some("priority")), "8.75");
    assert_unpriced("openai/gpt-5.5", &long(under(None, Some("priority"))), Reason::LongPrompt);
}

#[test]
fn a_region_multiplies_whatever_else_applies() {
    let flagship = "openai/gpt-6.1-sol";
    assert_charged(flagship, &elsewhere("eu", &under(None, None)), "1.32");
    assert_charged(flagship, &elsewhere("EU", &under(Some("batch"), None)), "0.66");
    assert_charged(flagship, &elsewhere("br", &under(None, None)), "1.2");
    assert_charged("openai/gpt-4o", &elsewhere("eu", &under(None, None)), "1.25");
    assert_eq!(key(flagship, &elsewhere("us", &under(Some("batch"), None))), "gpt-6.1-sol batch us");
    // Searches cost the same everywhere.
    let searched = Charge { usage: Usage { web_searches: 1, ..tokens(1_000, 0) }, ..under(None, None) };
    assert_charged(flagship, &elsewhere("eu", &searched), "0.0122");
}

#[test]
fn the_price_key_names_every_choice() {
    assert_eq!(key("openai/gpt-6.1-sol-2026-09-29", &under(None, None)), "gpt-6.1-sol");
    assert_eq!(key("x_ai/grok-4.7", &charge(tokens(200_000, 0), NOW)), "grok-4.7 from-200000");
    let peak = charge(tokens(1, 0), "2026-11-24T02:00:00Z");
    assert_eq!(key("deepseek/deepseek-v4-pro", &peak), "deepseek-v4-pro peak");
    assert_eq!(key("openai/gpt-6.1-sol", &under(None, Some("fast"))), "gpt-6.1-sol priority");
}

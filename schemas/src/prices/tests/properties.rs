//! What holds of any operation at the prices of any model.

use proptest::prelude::*;
use proptest::sample::select;
use rust_decimal::{Decimal, RoundingStrategy};

use super::*;
use crate::money::{ExactUsd, PicoUsdPerToken};

/// Parts of a prompt and an answer: input without cache, cache read, cache write, long cache write; text and reasoning.
type Counts = [i64; 6];

fn counts() -> impl Strategy<Value = Counts> {
    prop::array::uniform6(prop_oneof![Just(0_i64), 0_i64..1_000, 0_i64..400_000])
}

fn usage([fresh, read, written, long, text, reasoning]: Counts) -> Usage<'static> {
    Usage {
        cache_read_tokens: read,
        cache_write_tokens: written,
        cache_write_1h_tokens: long,
        reasoning_tokens: reasoning,
        ..tokens(fresh + read + written + long, text + reasoning)
    }
}

fn any_terms() -> impl Strategy<Value = Terms<'static>> {
    let processing = select(vec![None, None, Some("batch"), Some("realtime")]);
    let tier = select(vec![None, None, Some("flex"), Some("priority"), Some("fast"), Some("scale")]);
    let region = select(vec![None, None, Some("us"), Some("eu"), Some("global")]);
    (processing, tier, region).prop_map(|(processing, service_tier, region)| {
        let others = PriceTerms { region, ..PriceTerms::default() };
        Terms { processing, service_tier, others, ..Terms::STANDARD }
    })
}

fn any_time() -> impl Strategy<Value = UtcMicros> {
    // 2024 to 2027.
    (1_704_067_200_000_000_i64..1_830_000_000_000_000).prop_map(UtcMicros::from_micros)
}

fn any_key() -> impl Strategy<Value = Option<PriceKey>> {
    (0..Catalogue::embedded().models().len()).prop_map(|place| Some(PriceKey::new(place)))
}

proptest! {
    #[test]
    fn a_cost_is_the_sum_of_its_lines_and_never_negative(
        key in any_key(), counts in counts(), terms in any_terms(), started_at in any_time(), searches in 0_i64..3,
    ) {
        let usage = Usage { web_searches: searches, ..usage(counts) };
        let explanation = Catalogue::embedded().explain(key, &Charge { started_at, usage, terms });
        let Some(cost) = explanation.priced.cost else {
            prop_assert!(explanation.reason.is_some() && explanation.lines.is_empty());
            return Ok(());
        };
        let sum = explanation.lines.iter().fold(ExactUsd::default(), |sum, line| sum.checked_add(line.amount).unwrap());
        prop_assert!(cost >= NanoUsd::ZERO);
        prop_assert_eq!(NanoUsd::try_from(sum).unwrap(), cost);
        prop_assert_eq!(explanation.priced.parts.unwrap().total(), cost);
        let mut tokens = 0;
        let mut exact = Decimal::ZERO;
        for line in &explanation.lines {
            tokens += if matches!(line.item, Item::Tokens { .. }) { line.quantity } else { 0 };
            let rate: Decimal = line.rate.to_string().parse().unwrap();
            exact += rate * Decimal::from(line.quantity) / Decimal::from(1_000_000);
        }
        let rounded = exact.round_dp_with_strategy(9, RoundingStrategy::MidpointNearestEven);
        prop_assert_eq!(cost.to_string().parse::<Decimal>().unwrap(), rounded);
        if explanation.priced.status == CostStatus::Priced {
            prop_assert_eq!(tokens, counts.iter().sum::<i64>(), "every token is billed, and once");
        }
    }

    #[test]
    fn one_more_token_never_costs_less(
        key in any_key(), counts in counts(), terms in any_terms(), started_at in any_time(), class in 0_usize..6,
    ) {
        let mut more = counts;
        more[class] += 1;
        let cost = |counts| Catalogue::embedded().price(key, &Charge { started_at, usage: usage(counts), terms }).cost;
        if let (Some(less), Some(more)) = (cost(counts), cost(more)) {
            prop_assert!(less <= more);
        }
    }

    #[test]
    fn a_class_without_a_rate_costs_what_its_parent_does(class in select(TokenClass::ALL.to_vec()), named in any::<u16>()) {
        let rate = |class: TokenClass| PicoUsdPerToken::from_usd_per_mtok(&format!("{}", class as usize + 1)).unwrap();
        let mut rates = Rates::default();
        for (place, each) in TokenClass::ALL.into_iter().enumerate() {
            if named & (1 << place) != 0 {
                rates.set(each, rate(each));
            }
        }
        let expected = match (rates.own(class), class.parent()) {
            (Some(own), _) => Some((class, own)),
            (None, Some(parent)) => rates.effective(parent),
            (None, None) => None,
        };
        prop_assert_eq!(rates.effective(class), expected);
        if let Some((owner, price)) = expected {
            prop_assert_eq!(price, rate(owner));
        }
    }

    #[test]
    fn whatever_the_counts_are_there_is_an_answer(key in any_key(), counts in any::<Counts>(), input: Option<i64>, output: Option<i64>) {
        let [read, written, long, reasoning, audio, searches] = counts;
        let usage = Usage {
            input_tokens: input,
            output_tokens: output,
            cache_read_tokens: read,
            cache_write_tokens: written,
            cache_write_1h_tokens: long,
            reasoning_tokens: reasoning,
            input_audio_tokens: audio,
            output_audio_tokens: audio,
            input_image_tokens: audio,
            output_image_tokens: read,
            web_searches: searches,
            billable_units: None,
        };
        let priced = Catalogue::embedded().price(key, &charge(usage, NOW));
        prop_assert_eq!(priced.cost.is_some(), matches!(priced.status, CostStatus::Priced | CostStatus::Free));
        prop_assert!(priced.cost.is_none_or(|cost| cost >= NanoUsd::ZERO));
    }
}

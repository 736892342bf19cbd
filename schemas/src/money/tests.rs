//! What money promises: exact text, one rounding, and no silent nonsense.

use proptest::prelude::*;
use rust_decimal::{Decimal, RoundingStrategy};

use super::*;

fn nanos(text: &str) -> i64 {
    NanoUsd::parse(text).unwrap().nanos()
}

#[test]
fn an_amount_shows_two_to_nine_decimals() {
    for (nanos, text) in [
        (0, "0.00"),
        (2_607_590_000, "2.60759"),
        (1_000_000_000, "1.00"),
        (1, "0.000000001"),
        (-500_000_000, "-0.50"),
        (-1, "-0.000000001"),
        (i64::MAX, "9223372036.854775807"),
        (i64::MIN, "-9223372036.854775808"),
    ] {
        assert_eq!(NanoUsd::from_nanos(nanos).to_decimal_string(), text);
    }
    assert_eq!(
        format!("{:>8}|{:<8}|{:.1}", NanoUsd(10_000_000), NanoUsd(10_000_000), NanoUsd(12_345)),
        "    0.01|0.01    |0.000012345"
    );
}

#[test]
fn plain_and_scientific_text_are_the_same_amount() {
    assert_eq!(nanos("0.0675"), 67_500_000);
    assert_eq!(nanos("6.75e-2"), 67_500_000);
    assert_eq!(nanos("675E-4"), 67_500_000);
    assert_eq!(nanos("+.0000675e+3"), 67_500_000);
    assert_eq!(nanos("3."), 3_000_000_000);
    assert_eq!(nanos("-0"), 0);
    assert_eq!(nanos("00000000000000000000000000001.5"), 1_500_000_000);
    assert_eq!(nanos("0e2000000000"), 0);
    assert_eq!(nanos("1e-2000000000"), 0);
}

#[test]
fn the_tenth_decimal_is_rounded_half_to_even() {
    assert_eq!(nanos("0.0000000005"), 0);
    assert_eq!(nanos("0.0000000015"), 2);
    assert_eq!(nanos("0.0000000025"), 2);
    assert_eq!(nanos("-0.0000000015"), -2);
    assert_eq!(nanos("0.00000000050000000000000000000000000000000000001"), 1);
    assert_eq!(nanos("0.00000000149999999999999999999999999999999999999"), 1);
    assert_eq!(nanos("9e-10"), 1);
    assert_eq!(nanos("9e-11"), 0);
    assert_eq!(nanos("99e-11"), 1);
}

#[test]
fn what_is_no_number_is_refused() {
    for text in [
        "",
        " 1",
        "1 ",
        "-",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
        "1e5.0",
        "--1",
        "+-1",
        "1.2.3",
        "1,000",
        "$1",
        "0x10",
        "NaN",
        "inf",
        "-Infinity",
        "١",
        "1_000",
        "1e99999999999",
    ] {
        assert!(matches!(NanoUsd::parse(text), Err(MoneyError::Malformed { .. })), "{text:?}");
    }
    for usd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(NanoUsd::from_f64(usd), Err(MoneyError::Malformed { .. })), "{usd}");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_never_wraps() {
    assert_eq!(nanos("9223372036.854775807"), i64::MAX);
    assert_eq!(nanos("-9223372036.854775808"), i64::MIN);
    for text in [
        "9223372036.854775808",
        "9223372036.8547758075",
        "-9223372036.854775809",
        "1e10",
        "1e2000000000",
        "99999999999999999999",
    ] {
        assert!(matches!(NanoUsd::parse(text), Err(MoneyError::OutOfRange { .. })), "{text}");
    }
    assert!(matches!(NanoUsd::from_f64(1e300), Err(MoneyError::OutOfRange { .. })));
    assert_eq!(NanoUsd(i64::MAX).checked_add(NanoUsd(1)), None);
    assert!(NanoUsd::try_from(i128::from(i64::MAX) + 1).is_err());
}

#[test]
fn negative_amounts_are_refused_only_where_asked() {
    assert_eq!(nanos("-0.25"), -250_000_000);
    assert_eq!(NanoUsd::parse_non_negative("-0.25"), Err(MoneyError::Negative { text: "-0.25".to_owned() }));
    assert_eq!(NanoUsd::parse_non_negative("-0.0"), Ok(NanoUsd::ZERO));
}

#[test]
fn a_double_is_the_decimal_a_person_meant() {
    assert_eq!(NanoUsd::from_f64(0.0675), Ok(NanoUsd(67_500_000)));
    assert_eq!(NanoUsd::from_f64(0.1 + 0.2), Ok(NanoUsd(300_000_000)));
    assert_eq!(NanoUsd::from_f64(5e-324), Ok(NanoUsd::ZERO));
    assert_eq!(NanoUsd::from_f64(-0.0), Ok(NanoUsd::ZERO));
    assert_eq!(NanoUsd::from_f64(1.000_000_000_5), Ok(NanoUsd(1_000_000_000)));
}

#[test]
fn json_writes_text_and_reads_text_and_numbers() {
    assert_eq!(serde_json::to_string(&NanoUsd(67_500_000)).unwrap(), "\"0.0675\"");
    for json in ["\"0.25\"", "0.25", "2.5e-1", "\"25e-2\""] {
        assert_eq!(serde_json::from_str::<NanoUsd>(json).unwrap(), NanoUsd(250_000_000), "{json}");
    }
    assert_eq!(serde_json::from_str::<NanoUsd>("3").unwrap(), NanoUsd(3_000_000_000));
    assert_eq!(serde_json::from_str::<NanoUsd>("-3").unwrap(), NanoUsd(-3_000_000_000));
    for json in ["true", "null", "\"\"", "99999999999", "[1]"] {
        assert!(serde_json::from_str::<NanoUsd>(json).is_err(), "{json}");
    }
}

#[test]
fn a_price_per_token_is_the_same_as_per_million() {
    for (per_token, per_mtok) in [("2.5e-06", "2.5"), ("0.000000003625", "0.003625"), ("0", "0"), ("1e-12", "0.000001")]
    {
        let price = PicoUsdPerToken::from_usd_per_token(per_token).unwrap();
        assert_eq!(price, PicoUsdPerToken::from_usd_per_mtok(per_mtok).unwrap(), "{per_token}");
    }
    let refused = |text| PicoUsdPerToken::from_usd_per_token(text).unwrap_err();
    assert!(matches!(refused("1.0000000000000001e-07"), MoneyError::TooPrecise { places: 12, .. }));
    assert!(matches!(refused("-1e-6"), MoneyError::Negative { .. }));
    assert!(matches!(refused("1.01"), MoneyError::OutOfRange { .. }));
}

#[test]
fn a_price_with_six_decimals_is_a_whole_number_of_picos() {
    assert_eq!(PicoUsdPerToken::from_usd_per_mtok("0.003625").unwrap().picos(), 3625);
    assert_eq!(PicoUsdPerToken::from_usd_per_mtok("1000000").unwrap(), PicoUsdPerToken::MAX);
    assert_eq!(PicoUsdPerToken::from_usd_per_mtok("0.1000000").unwrap().picos(), 100_000);
    let refused = |text| PicoUsdPerToken::from_usd_per_mtok(text).unwrap_err();
    assert!(matches!(refused("0.0036251"), MoneyError::TooPrecise { places: 6, .. }));
    assert!(matches!(refused("-1"), MoneyError::Negative { .. }));
    assert!(matches!(refused("1000000.000001"), MoneyError::OutOfRange { .. }));
    assert!(matches!(refused("free"), MoneyError::Malformed { .. }));
}

proptest! {
    #[test]
    fn every_amount_survives_its_text(nanos: i64) {
        let amount = NanoUsd::from_nanos(nanos);
        let text = amount.to_decimal_string();
        prop_assert_eq!(NanoUsd::parse(&text), Ok(amount));
        let (_, fraction) = text.split_once('.').unwrap();
        prop_assert!((2..=9).contains(&fraction.len()) && (fraction.len() == 2 || !fraction.ends_with('0')));
    }

    #[test]
    fn amounts_up_to_a_million_dollars_survive_a_double(nanos in -1_000_000_000_000_000_i64..=1_000_000_000_000_000) {
        let text = NanoUsd::from_nanos(nanos).to_decimal_string();
        let usd: f64 = text.parse().unwrap();
        prop_assert_eq!(NanoUsd::from_f64(usd), Ok(NanoUsd::from_nanos(nanos)));
    }

    #[test]
    fn text_is_rounded_as_an_independent_decimal_rounds_it(text in "-?[0-9]{1,9}(\\.[0-9]{1,18})?") {
        let expected: Decimal = text.parse().unwrap();
        let expected = expected.round_dp_with_strategy(9, RoundingStrategy::MidpointNearestEven);
        let actual: Decimal = NanoUsd::parse(&text).unwrap().to_decimal_string().parse().unwrap();
        prop_assert_eq!(actual, expected);
    }

    #[test]
    fn an_exponent_moves_the_point(digits in 1_u32..=u32::MAX, places in 0_u32..=12) {
        let moved = Decimal::from_i128_with_scale(digits.into(), places);
        prop_assert_eq!(NanoUsd::parse(&format!("{digits}e-{places}")), NanoUsd::parse(&moved.to_string()));
    }

    #[test]
    fn sums_do_not_depend_on_order(mut amounts in prop::collection::vec(-1_000_000_000_000_i64..=1_000_000_000_000, 0..200)) {
        let sum = |amounts: &[i64]| {
            amounts.iter().try_fold(NanoUsd::ZERO, |sum, nanos| sum.checked_add(NanoUsd::from_nanos(*nanos)))
        };
        let forward = sum(&amounts);
        amounts.sort_unstable();
        prop_assert_eq!(forward, sum(&amounts));
        let wide: i128 = amounts.iter().copied().map(i128::from).sum();
        prop_assert_eq!(forward, NanoUsd::try_from(wide).ok());
    }
}

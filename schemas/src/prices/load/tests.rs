//! A catalogue with a fault is refused as a whole, and the refusal names the file, the model and the field.

use super::super::{Catalogue, Charge, CostStatus, Terms, Usage};
use super::*;
use crate::UtcMicros;
use crate::money::MoneyError;

const HEAD: &str = r#"
schema = 1
catalogue = 2026-11-23
currency = "USD"
unit = "per_mtok"
provider = "openai"
"#;

const MODEL: &str = r#"
[[model]]
id = "m"
source = "a price list"
checked_on = 2026-11-23
"#;

const INTERVAL: &str = r#"
[[model.interval]]
rates = { input = "1", output = "2" }
"#;

fn parse(rest: &str) -> Result<Catalogue, CatalogueError> {
    Catalogue::parse(&[("openai.toml", &format!("{HEAD}{rest}"))])
}

/// The refusal of a file with this model; `rest` follows the model's own fields.
#[track_caller]
fn refusal(rest: &str) -> (String, Problem) {
    match parse(&format!("{MODEL}{rest}")).unwrap_err() {
        CatalogueError::Field { file, model, field, source } => {
            assert_eq!((file.as_str(), model.as_deref()), ("openai.toml", Some("m")));
            (field, source)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_fault_names_file_model_and_field() {
    let error = parse(&format!("{MODEL}{}", INTERVAL.replace('1', "-1"))).unwrap_err();
    assert_eq!(error.to_string(), "price file openai.toml, model m, field interval[0].rates.input");
    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "-1 is negative; it must be 0 or more");
}

#[test]
fn prices_must_be_exact() {
    let (field, problem) = refusal(&INTERVAL.replace('2', "0.0000001"));
    assert_eq!(field, "interval[0].rates.output");
    assert!(matches!(problem, Problem::Price(MoneyError::TooPrecise { places: 6, .. })));
    assert_eq!(refusal("[[model.interval]]\nrates = {}"), ("interval[0].rates".to_owned(), Problem::Missing));
    assert_eq!(refusal(&format!("units = {{ web_search = \"x\" }}\n{INTERVAL}")).0, "units.web_search");
    assert_eq!(refusal(&format!("units = {{ \"a b\" = \"1\" }}\n{INTERVAL}")).0, "units.a b");
}

#[test]
fn no_moment_may_have_two_prices() {
    let interval = |span: &str| format!("{INTERVAL}{span}\n");
    let until = interval("valid_to = 2026-02-01T00:00:00Z");
    let from = interval("valid_from = 2026-02-01T00:00:00Z");
    let earlier = interval("valid_from = 2026-01-31T23:59:59Z");
    assert!(parse(&format!("{MODEL}{until}{from}")).is_ok());
    for pair in [[&until, &earlier], [&from, &until], [&interval(""), &from], [&until, &interval("")]] {
        let (field, problem) = refusal(&format!("{}{}", pair[0], pair[1]));
        assert_eq!((field.as_str(), problem), ("interval[1]", Problem::Overlap));
    }
    let backwards = interval("valid_from = 2026-02-01T00:00:00Z\nvalid_to = 2026-02-01T00:00:00Z");
    assert_eq!(refusal(&backwards), ("interval[0]".to_owned(), Problem::Backwards));
    assert_eq!(refusal(&interval("valid_from = 2026-02-01T00:00:00")).0, "interval[0].valid_from");
    assert_eq!(refusal(&interval("valid_to = 2026-02-01")).0, "interval[0].valid_to");

    let variant = |values: &str| {
        format!("[[model.variant]]\nwhen = {{ service_tier = [{values}] }}\nrates = {{ input = \"3\" }}\n")
    };
    let two = |second: &str| format!("{MODEL}{INTERVAL}{}{}", variant(r#""priority", "fast""#), variant(second));
    assert!(parse(&two(r#""flex""#)).is_ok());
    assert!(
        matches!(parse(&two(r#""fast""#)), Err(CatalogueError::Field { field, source: Problem::Overlap, .. }) if field == "variant[1]")
    );
    assert_eq!(refusal(&format!("{INTERVAL}{}", variant(""))), ("variant[0].when".to_owned(), Problem::Missing));
}

#[test]
fn tiers_ascend_and_say_whether_their_threshold_belongs_to_them() {
    let tiers = |list: &str| format!("{INTERVAL}tiers = [{list}]\n");
    let rates = "rates = { input = \"3\" }";
    assert!(
        parse(&format!("{MODEL}{}", tiers(&format!("{{ above = 9, {rates} }}, {{ from = 11, {rates} }}")))).is_ok()
    );
    let (field, problem) = refusal(&tiers(&format!("{{ above = 9, {rates} }}, {{ from = 10, {rates} }}")));
    assert_eq!((field.as_str(), problem), ("interval[0].tiers[1]", Problem::NotAscending));
    for threshold in ["", "above = 9, from = 9,", "above = 0,", "from = -1,", "above = 9223372036854775807,"] {
        let (field, problem) = refusal(&tiers(&format!("{{ {threshold} {rates} }}")));
        assert_eq!(field, "interval[0].tiers[0]");
        assert!(matches!(problem, Problem::Unexpected { .. }), "{threshold}");
    }
}

#[test]
fn schedules_name_real_days_and_times() {
    let schedule = |days: &str, windows: &str| {
        format!(
            "{INTERVAL}schedules = [{{ name = \"peak\", days = [{days}], windows = [{windows}], rates = {{ input = \"3\" }} }}]\n"
        )
    };
    for windows in [r#"["00:00", "24:00"]"#, r#"["16:30", "00:30"]"#, r#"["01:00", "04:00"], ["06:00", "10:00"]"#] {
        assert!(parse(&format!("{MODEL}{}", schedule("1, 7", windows))).is_ok(), "{windows}");
    }
    for days in ["", "0", "8", "2, 1", "1, 1"] {
        assert_eq!(refusal(&schedule(days, r#"["01:00", "04:00"]"#)).0, "interval[0].schedules[0].days");
    }
    for windows in [
        "",
        r#"["1:00", "04:00"]"#,
        r#"["01:00", "01:00"]"#,
        r#"["01:00", "24:01"]"#,
        r#"["24:00", "01:00"]"#,
        r#"["01:60", "03:00"]"#,
    ] {
        assert_eq!(refusal(&schedule("1", windows)).0, "interval[0].schedules[0].windows", "{windows}");
    }
}

#[test]
fn schedules_name_a_zone_and_ascending_holidays() {
    let schedule = |more: &str| {
        let text = "name = \"peak\", days = [1], windows = [[\"01:00\", \"04:00\"]], rates = { input = \"3\" }";
        format!("{INTERVAL}schedules = [{{ {text}, {more} }}]\n")
    };
    assert!(
        parse(&format!("{MODEL}{}", schedule("tz = \"Asia/Shanghai\", holidays = [2026-10-01, 2026-10-02]"))).is_ok()
    );
    assert_eq!(refusal(&schedule("tz = \"Asia/Atlantis\"")).0, "interval[0].schedules[0].tz");
    for holidays in ["2026-10-02, 2026-10-01", "2026-10-01, 2026-10-01", "2026-10-01T00:00:00Z"] {
        let field = refusal(&schedule(&format!("holidays = [{holidays}]"))).0;
        assert_eq!(field, "interval[0].schedules[0].holidays", "{holidays}");
    }
}

#[test]
fn a_variant_has_either_rates_or_a_multiplier() {
    let variant = |fields: &str| format!("{INTERVAL}[[model.variant]]\nwhen = {{ region = [\"eu\"] }}\n{fields}\n");
    let rates = "rates = { input = \"3\" }";
    for fields in [rates, "multiplier = \"1.1\"", "multiplier = \"0.5\"\napplies_to = [\"input\", \"output\"]"] {
        assert!(parse(&format!("{MODEL}{}", variant(fields))).is_ok(), "{fields}");
    }
    for (fields, field) in [
        (String::new(), "variant[0]"),
        (format!("{rates}\nmultiplier = \"1.1\""), "variant[0]"),
        (format!("{rates}\napplies_to = [\"input\"]"), "variant[0]"),
        (format!("multiplier = \"1.1\"\ntiers = [{{ above = 9, {rates} }}]"), "variant[0]"),
        ("multiplier = \"1.1\"\napplies_to = []".to_owned(), "variant[0].applies_to"),
        ("multiplier = \"1.125\"".to_owned(), "variant[0].multiplier"),
        ("multiplier = \"0\"".to_owned(), "variant[0].multiplier"),
    ] {
        assert_eq!(refusal(&variant(&fields)).0, field, "{fields}");
    }
}

#[test]
fn what_becomes_part_of_a_price_key_has_no_spaces() {
    let condition = format!("{INTERVAL}[[model.variant]]\nwhen = {{ speed = [\"very fast\"] }}\nmultiplier = \"2\"\n");
    assert_eq!(refusal(&condition).0, "variant[0].when");
    assert!(parse(&format!("{}{INTERVAL}", MODEL.replace("\"m\"", "\"a model\""))).is_err());
}

#[test]
fn a_name_belongs_to_one_model() {
    let taken = |field: &str, name: &str| (field.to_owned(), Problem::Taken { name: name.to_owned() });
    assert_eq!(refusal(&format!("aliases = [\"m\"]\n{INTERVAL}")), taken("aliases", "m"));
    assert_eq!(refusal(&format!("excludes = [\"m\"]\n{INTERVAL}")), taken("excludes", "m"));
    assert_eq!(refusal(&format!("prefixes = [\"a\", \"a\"]\n{INTERVAL}")), taken("prefixes", "a"));
    assert_eq!(refusal(&format!("{INTERVAL}{MODEL}{INTERVAL}")), taken("id", "m"));
    assert_eq!(refusal(&format!("aliases = [\"Upper\"]\n{INTERVAL}")).0, "aliases");
    let file = format!("{HEAD}{MODEL}{INTERVAL}");
    let twice = Catalogue::parse(&[("a.toml", &file), ("b.toml", &file)]).unwrap_err();
    assert_eq!(twice.to_string(), "price file b.toml, field provider");
}

#[test]
fn a_file_of_another_format_is_refused() {
    let with = |from: &str, to: &str| {
        Catalogue::parse(&[("f.toml", &format!("{HEAD}{MODEL}{INTERVAL}").replace(from, to))]).unwrap_err().to_string()
    };
    assert_eq!(with("schema = 1", "schema = 2"), "price file f.toml, field schema");
    assert_eq!(with("USD", "EUR"), "price file f.toml, field currency");
    assert_eq!(with("per_mtok", "per_token"), "price file f.toml, field unit");
    assert_eq!(with("\"openai\"", "\"OpenAI\""), "price file f.toml, field provider");
    assert_eq!(with("\"openai\"", "\"gemini\""), "price file f.toml, field provider");
    assert_eq!(
        with("catalogue = 2026-11-23", "catalogue = 2026-11-23T00:00:00Z"),
        "price file f.toml, field catalogue"
    );
    assert_eq!(with("a price list", ""), "price file f.toml, model m, field source");
    for (from, to) in
        [("source", "sauce"), ("input =", "inputs ="), ("\"1\"", "1.0"), ("[[model]]", "[[models]]"), ("=", ":")]
    {
        assert_eq!(with(from, to), "price file f.toml cannot be read", "{to}");
    }
    assert!(matches!(Catalogue::parse(&[]), Err(CatalogueError::Empty)));
}

#[test]
fn the_version_follows_the_content_and_not_the_order_of_files() {
    let one = format!("{HEAD}{MODEL}{INTERVAL}");
    let other = one.replace("\"openai\"", "\"groq\"").replace("catalogue = 2026-11-23", "catalogue = 2026-11-24");
    let version = |files: &[(&str, &str)]| Catalogue::parse(files).unwrap().version().to_owned();
    let both = version(&[("a", &one), ("b", &other)]);
    assert_eq!(both, version(&[("b", &other), ("a", &one)]));
    assert!(both.starts_with("2026-11-24-") && both.len() == "2026-11-24-".len() + 8, "{both}");
    assert_ne!(version(&[("a", &one)]), version(&[("a", &one.replace("\"1\"", "\"3\""))]));
}

#[test]
fn a_gap_between_intervals_has_no_price_and_an_explicit_zero_is_free() {
    let zero = INTERVAL.replace(['1', '2'], "0");
    let text = format!("{MODEL}{INTERVAL}valid_to = 2026-02-01T00:00:00Z\n{zero}valid_from = 2026-03-01T00:00:00Z\n");
    let catalogue = parse(&text).unwrap();
    let status = |at: &str| {
        let usage = Usage { input_tokens: Some(1), output_tokens: Some(1), ..Usage::default() };
        let charge = Charge { started_at: UtcMicros::parse_rfc3339(at).unwrap(), usage, terms: Terms::STANDARD };
        let priced = catalogue.price(catalogue.find("openai", "m"), &charge);
        (priced.status, priced.cost.map(NanoUsd::nanos))
    };
    assert_eq!(status("2026-01-31T23:59:59.999999Z"), (CostStatus::Priced, Some(3_000)));
    assert_eq!(status("2026-02-01T00:00:00Z"), (CostStatus::NoPriceAtTime, None));
    assert_eq!(status("2026-02-28T23:59:59.999999Z"), (CostStatus::NoPriceAtTime, None));
    assert_eq!(status("2026-03-01T00:00:00Z"), (CostStatus::Free, Some(0)));
}

#[test]
fn reasoning_with_a_price_of_its_own_is_not_billed_as_output_too() {
    let text = format!("{MODEL}{}", INTERVAL.replace("output = \"2\"", "output = \"2\", reasoning = \"5\""));
    let catalogue = parse(&text).unwrap();
    let usage = Usage { input_tokens: Some(0), output_tokens: Some(10), reasoning_tokens: 4, ..Usage::default() };
    let cost = |usage| {
        let charge = Charge { started_at: UtcMicros::from_micros(0), usage, terms: Terms::STANDARD };
        catalogue.price(catalogue.find("openai", "m"), &charge).cost.map(NanoUsd::nanos)
    };
    assert_eq!(cost(usage), Some(6 * 2_000 + 4 * 5_000));
    assert_eq!(cost(Usage { reasoning_tokens: 11, ..usage }), None);
}

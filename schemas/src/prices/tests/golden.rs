//! The vectors beside the price files: costs that were computed by another program, in another arithmetic.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use super::*;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("prices/golden")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// Cost in nano-dollars, or the status without one; and the price key after the model's name.
fn result(explanation: &Explanation<'_>) -> (String, String) {
    let priced = explanation.priced;
    let cost = match (priced.cost, priced.status) {
        (Some(_), CostStatus::Free) => "free".to_owned(),
        (Some(cost), _) => cost.nanos().to_string(),
        (None, status) => status.name().to_owned(),
    };
    let key = priced.used.map(|used| used.to_string()).unwrap_or_default();
    (cost, key.split_once(' ').map(|(_, choices)| choices.to_owned()).unwrap_or_default())
}

fn usage<'a>(counts: &str, units: &'a mut String) -> Usage<'a> {
    let mut named = BTreeMap::new();
    let mut usage = Usage::default();
    for count in counts.split(' ') {
        let (letter, number) = count.split_at(1);
        if letter == "u" {
            let (name, count) = number.split_once('=').unwrap();
            named.insert(name, count.parse::<i64>().unwrap());
            continue;
        }
        let number = number.parse().unwrap();
        match letter {
            "i" => usage.input_tokens = Some(number),
            "o" => usage.output_tokens = Some(number),
            "r" => usage.cache_read_tokens = number,
            "w" => usage.cache_write_tokens = number,
            "l" => usage.cache_write_1h_tokens = number,
            "t" => usage.reasoning_tokens = number,
            "a" => usage.input_audio_tokens = number,
            "b" => usage.output_audio_tokens = number,
            "m" => usage.input_image_tokens = number,
            "n" => usage.output_image_tokens = number,
            "s" => usage.web_searches = number,
            _ => panic!("{count}"),
        }
    }
    *units = serde_json::to_string(&named).unwrap();
    Usage { billable_units: (!named.is_empty()).then_some(units.as_str()), ..usage }
}

fn terms(words: &str) -> Terms<'_> {
    let mut terms = Terms::STANDARD;
    for (name, word) in words.split_whitespace().map(|term| term.split_once('=').unwrap()) {
        match name {
            "processing" => terms.processing = Some(word),
            "service_tier" => terms.service_tier = Some(word),
            "speed" => terms.others.speed = Some(word),
            "region" => terms.others.region = Some(word),
            "context" => terms.others.context = Some(word),
            _ => panic!("{name}"),
        }
    }
    terms
}

/// Compares every line; returns how many there are for each model.
fn compare(catalogue: &Catalogue, vectors: &str) -> BTreeMap<String, usize> {
    let (mut key, mut at, mut words) = (None, UtcMicros::default(), "");
    let mut lines = BTreeMap::new();
    for line in vectors.lines() {
        match line.split_at_checked(2) {
            Some(("= ", name)) => {
                let (provider, model) = name.split_once('/').unwrap();
                key = catalogue.find(provider, model);
                assert!(key.is_some(), "{name}");
            }
            Some(("@ ", moment)) => at = UtcMicros::parse_rfc3339(moment).unwrap(),
            Some(("? ", terms)) => words = terms,
            None => words = "",
            _ => {
                let name = catalogue.model(key.unwrap()).name();
                let mut fields = line.split('\t');
                let counts = fields.next().unwrap();
                let mut units = String::new();
                let charge = Charge { started_at: at, usage: usage(counts, &mut units), terms: terms(words) };
                let expected = [fields.next().unwrap(), fields.next().unwrap_or_default()].map(str::to_owned);
                let explanation = catalogue.explain(key, &charge);
                assert_eq!(
                    result(&explanation),
                    expected.into(),
                    "{name} at {at}, {words:?}: {counts}; {explanation:?}"
                );
                assert_eq!(catalogue.price(key, &charge).cost, explanation.priced.cost);
                *lines.entry(name).or_default() += 1;
            }
        }
    }
    lines
}

#[test]
fn every_model_costs_what_another_program_computes() {
    let catalogue = Catalogue::embedded();
    let lines = compare(catalogue, &read("catalogue.tsv"));
    let of_models: Vec<String> = lines.into_keys().collect();
    let mut models: Vec<String> = catalogue.models().iter().map(Model::name).collect();
    models.sort_unstable();
    assert_eq!(of_models, models, "run schemas/prices/golden/expect.py");
}

#[test]
fn everything_that_a_price_file_can_say_is_applied() {
    let catalogue = Catalogue::parse(&[("invented.toml", &read("invented.toml"))]).unwrap();
    let lines = compare(&catalogue, &read("invented.tsv"));
    assert_eq!(lines.len(), 3);
    assert!(lines["invented/everything"] > 500, "{lines:?}");
}

/// Where there is no Python with these modules and time zones, the vectors are compared all the same.
#[test]
fn the_vectors_are_those_of_the_price_files() {
    let python = |arguments: &[&str]| Command::new("python3").arg("-B").args(arguments).current_dir(folder()).output();
    let probe = python(&["-c", "import tomllib, zoneinfo; zoneinfo.ZoneInfo('Asia/Shanghai')"]);
    if !probe.is_ok_and(|probe| probe.status.success()) {
        writeln!(std::io::stderr(), "not run: expect.py --check needs Python 3.11 with time zones").unwrap();
        return;
    }
    let checked = python(&["expect.py", "--check"]).unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

//! Which model a name means.

use super::*;

#[test]
fn every_model_is_found_by_its_name_its_snapshots_and_its_qualified_names() {
    let catalogue = Catalogue::embedded();
    assert!(catalogue.models().len() >= 66);
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
        ("openai", "gpt-5-max"),
        ("openai", "ft:gpt-4o-2024-08-06:org"),
        ("openai", "gpt-4o-realtime-private"),
        ("anthropic", "claude-opus-5-9"),
        ("anthropic", "openai/gpt-4o"),
        ("gemini", "gemini-2.5-pro-preview-sings"),
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
    assert_eq!(billed(Some("gpt-4o"), Some("gpt-4o-2024-05-13")), Some("gpt-4o-2024-05-13"));
    assert_eq!(billed(Some("gpt-4o"), Some("gpt-4o-of-tomorrow")), None);
    assert_eq!(billed(None, None), None);
}

#[test]
fn a_model_whose_id_another_file_takes_is_no_longer_in_force() {
    let text = r#"
schema = 1
catalogue = 2026-11-24
currency = "USD"
unit = "per_mtok"
provider = "openai"
also = ["acme"]

[[model]]
id = "gpt-4o"
aliases = ["our-model"]
prefixes = ["our-gpt"]
source = "a contract"
checked_on = 2026-11-24
[[model.interval]]
rates = { input = "1" }
"#;
    let base = Catalogue::embedded();
    assert_eq!(base.in_force().count(), base.models().len());
    let catalogue = base.overlay(&[("openai.toml", text)]).unwrap();
    let named = |model: &&Model| model.name() == "openai/gpt-4o";
    assert_eq!(catalogue.entries().filter(|(_, model)| named(model)).count(), 2);
    let in_force: Vec<_> = catalogue.in_force().filter(|(_, model)| named(model)).collect();
    let [(key, model)] = in_force[..] else { panic!("{in_force:?}") };
    assert_eq!(catalogue.find("acme", "our-model"), Some(key));
    // The file claims its snapshots too, and one of them has prices of its own beneath.
    assert_eq!(catalogue.in_force().count(), base.models().len() - 1);
    let snapshot = catalogue.find("openai", "gpt-4o-2024-05-13");
    assert_eq!(snapshot, Some(key));
    let expected = (&["acme".to_owned()][..], &["our-model".to_owned()][..], &["our-gpt".to_owned()][..]);
    assert_eq!((&model.also[..], &model.aliases[..], &model.prefixes[..]), expected);
}

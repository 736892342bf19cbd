//! Which model was asked for and which one answered, and why it ended.

use super::*;

#[test]
fn the_model_that_was_asked_for_and_the_one_that_answered_are_told_apart() {
    let models = |attributes: Json| {
        let operation = of_span(attributes);
        (operation.model, operation.response_model)
    };
    let some = |name: &str| Some(name.to_owned());
    let asked = r#"{"model": "gpt-4o"}"#;
    let kind = ("openinference.span.kind", "LLM");
    let answered = json!({kind.0: kind.1, "llm.model_name": "gpt-4o-2024", "llm.invocation_parameters": asked});
    assert_eq!(models(answered), (some("gpt-4o"), some("gpt-4o-2024")));
    let failed = json!({kind.0: kind.1, "llm.provider": "openai", "llm.invocation_parameters": asked});
    assert_eq!(models(failed), (some("gpt-4o"), None));
    let same = json!({kind.0: kind.1, "llm.model_name": "gpt-4o", "llm.invocation_parameters": asked});
    assert_eq!(models(same), (some("gpt-4o"), None));
    let told_apart = json!({kind.0: kind.1, "llm.request.model_name": "a", "llm.response.model_name": "b",
        "llm.invocation_parameters": asked});
    assert_eq!(models(told_apart), (some("a"), some("b")));
}

#[test]
fn reasons_of_finishing_are_read_from_the_answers_where_nothing_else_says_them() {
    let chat = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "m"});
    let reasons = |name: &str, value: &str, content| {
        let mut attributes = chat.clone();
        attributes[name] = value.into();
        let body = request(&[("1", "", attributes)]).to_string();
        let terms = Terms { content, ..terms() };
        let operation = convert(body.as_bytes(), Encoding::Json, &terms).unwrap().items[0].clone().unwrap();
        (operation.finish_reasons, operation.output_messages.is_some())
    };
    let messages = r#"[{"role": "assistant", "parts": [], "finish_reason": "stop"}]"#;
    for (content, is_kept) in [(ContentCapture::On, true), (ContentCapture::Off, false)] {
        assert_eq!(reasons("gen_ai.output.messages", messages, content), (vec!["stop".to_owned()], is_kept));
        assert_eq!(
            reasons("gen_ai.completion.0.finish_reason", "length", content),
            (vec!["length".to_owned()], is_kept)
        );
    }
    assert_eq!(reasons("gen_ai.response.finish_reasons", "end", ContentCapture::On).0, ["end"]);
}

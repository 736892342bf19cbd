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

#[test]
fn a_call_of_another_model_within_a_call_is_an_operation_of_its_own() {
    let chat = |provider: &str, model: &str, response: &str, tokens: i64| {
        let mut chat = json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": tokens});
        if !response.is_empty() {
            chat["gen_ai.response.id"] = response.into();
        }
        chat
    };
    let spans_of = |spans: &[(&str, &str, Json)]| -> Vec<String> {
        let operations = of_spans(spans).into_iter();
        operations.map(|operation| operation.span_id.unwrap()[14..].to_owned()).collect()
    };
    let outer = chat("openai", "gpt-4o", "r1", 5000);
    let inner = chat("anthropic", "claude-haiku", "r2", 100);
    assert_eq!(spans_of(&[("01", "", outer.clone()), ("02", "01", inner.clone())]), ["01", "02"]);
    // Each of both as a framework and its client library tell it, in any order.
    let framework = chat("langchain", "claude-haiku", "", 100);
    let twice =
        [("02", "01", framework), ("03", "02", inner.clone()), ("01", "", outer.clone()), ("00", "", json!({}))];
    assert_eq!(spans_of(&twice), ["03", "01"]);
    // A span that could be either's is the inner one's: what is nearest decides, and the outer call stays.
    let vague = json!({"gen_ai.operation.name": "chat"});
    assert_eq!(spans_of(&[("01", "", outer), ("02", "01", vague), ("03", "02", inner)]), ["01", "03"]);
}

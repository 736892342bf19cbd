//! What is kept of a span where content is not, and which of it never is.

use super::*;

fn without_content(spans: &[(&str, &str, Json)]) -> Vec<Operation> {
    let terms = Terms { content: ContentCapture::Off, ..terms() };
    let converted = convert(request(spans).to_string().as_bytes(), Encoding::Json, &terms).unwrap();
    converted.items.into_iter().map(|item| item.unwrap()).collect()
}

/// Attributes that instrumentations put prompts, answers and documents into; all of them say `hunter2`.
fn wordy() -> Json {
    let mut attributes = json!({});
    for name in [
        "embedding.embeddings.0.embedding.text",
        "embedding.text",
        "reranker.query",
        "reranker.input_documents.0.document.content",
        "reranker.output_documents.0.document.content",
        "retrieval.documents.0.document.content",
        "llm.prompt_template.template",
        "llm.prompt_template.variables",
        "llm.prompts.0.prompt.text",
        "llm.choices.0.completion.text",
        "llm.input_messages.0.message.content",
        "gen_ai.input.messages",
        "gen_ai.prompt",
        "gen_ai.completion",
        "gen_ai.prompt.0.content",
        "gen_ai.prompt.variable.city",
        "gen_ai.tool.description",
        "gen_ai.tool.call.arguments",
        "gen_ai.agent.description",
        "gen_ai.memory.query.text",
        "gen_ai.request.structured_output_schema",
        "gen_ai.request.stop_sequences",
        "gen_ai.evaluation.explanation",
        "llm.chat.stop_sequences",
        "traceloop.prompt.template",
        "traceloop.prompt.template_variables",
        "traceloop.entity.input",
        "ai.prompt",
        "ai.prompt.messages",
        "ai.response.text",
        "langfuse.observation.input",
        "langfuse.trace.input",
        "http.request.body",
        "url.full",
        "process.command_line",
        "db.query.text",
        "gcp.vertex.agent.llm_request",
        "input.value",
        "tool.parameters",
        "my.own",
    ] {
        attributes[name] = json!("hunter2");
    }
    attributes["embedding.embeddings.0.embedding.vector"] = json!([0.125, 0.375]);
    attributes["a.list"] = json!(["hunter2"]);
    attributes["a.map"] = json!({"host.name": "hunter2"});
    attributes["metadata"] = json!(r#"{"ticket": 3, "question": "hunter2"}"#);
    let parameters = json!({"seed": 1, "system": "hunter2", "instructions": "hunter2", "prompt": ["hunter2"], "reasoning_effort": "low",
        "messages": "hunter2", "response_format": {"type": "json_schema", "json_schema": {"description": "hunter2"}},
        "api_key": "hunter2", "extra_headers": {"Authorization": "hunter2"}});
    attributes["llm.invocation_parameters"] = json!(parameters.to_string());
    attributes
}

#[test]
fn where_content_is_off_no_attribute_holds_words_of_a_prompt() {
    for kind in ["LLM", "EMBEDDING", "RERANKER", "RETRIEVER", "TOOL", "AGENT"] {
        let mut attributes = wordy();
        attributes["openinference.span.kind"] = json!(kind);
        for (name, value) in [("host.name", json!("h")), ("gen_ai.output.type", json!("text")), ("my.number", json!(7))]
        {
            attributes[name] = value;
        }
        let [operation] = without_content(&[("01", "", attributes)]).try_into().unwrap();
        assert!(!operation.has_content());
        let text = format!("{operation:?}");
        assert!(!text.contains("hunter2") && !text.contains("0.375"), "{kind}: {text}");
        let metadata: Json = serde_json::from_str(&operation.metadata.unwrap()).unwrap();
        for (name, value) in [
            ("host.name", json!("h")),
            ("gen_ai.output.type", json!("text")),
            ("my.number", json!(7)),
            ("ticket", json!(3)),
        ] {
            assert_eq!(metadata[name], value, "{metadata}");
        }
        assert!(metadata["opstream.withheld_attributes"].as_u64().unwrap() > 20, "{metadata}");
        let parameters: Json = serde_json::from_str(&operation.request_parameters.unwrap()).unwrap();
        let format = json!({"type": "json_schema"});
        let expected =
            json!({"seed": 1, "reasoning_effort": "low", "response_format": format, "api_key": "[redacted secret]"});
        for (name, value) in expected.as_object().unwrap() {
            assert!(parameters.get(name).is_none_or(|kept| kept == value), "{parameters}");
        }
        assert_eq!((&parameters["seed"], &parameters["reasoning_effort"]), (&json!(1), &json!("low")));
    }
}

#[test]
fn a_captured_request_leaves_no_words_where_content_is_off() {
    for body in [OTEL, OPENINFERENCE] {
        let terms = Terms { content: ContentCapture::Off, ..terms() };
        let text = format!("{:?}", convert(body, Encoding::Protobuf, &terms).unwrap().items);
        for words in ["embed me", "six times seven", "Be brief", "[0.1, 0.2]", "[0.1,0.2]"] {
            assert!(!text.contains(words), "{words}: {text}");
        }
    }
}

#[test]
fn attributes_of_the_resource_follow_the_same_rule() {
    let mut body = request(&[("01", "", json!({"gen_ai.operation.name": "chat"}))]);
    let attributes = body["resourceSpans"][0]["resource"]["attributes"].as_array_mut().unwrap();
    for name in ["host.name", "my.notes", "k8s.pod.api_key"] {
        attributes.push(json!({"key": name, "value": {"stringValue": "hunter2"}}));
    }
    for (content, expected) in [
        (ContentCapture::Off, json!({"host.name": "hunter2", "k8s.pod.api_key": "[redacted secret]"})),
        (
            ContentCapture::On,
            json!({"host.name": "hunter2", "my.notes": "hunter2", "k8s.pod.api_key": "[redacted secret]"}),
        ),
    ] {
        let terms = Terms { content, ..terms() };
        let items = convert(body.to_string().as_bytes(), Encoding::Json, &terms).unwrap().items;
        let metadata: Json = serde_json::from_str(items[0].as_ref().unwrap().metadata.as_ref().unwrap()).unwrap();
        assert_eq!(metadata["resource"], expected);
    }
}

#[test]
fn credentials_are_replaced_whatever_is_kept() {
    let parameters = json!({"api_key": "hunter2", "extra_headers": {"Authorization": "hunter2"}, "seed": 1,
        "extra_body": [{"Headers": ["hunter2"], "n": 1}, {"X-API-Key": "hunter2"}]});
    let operation = of_span(json!({
        "openinference.span.kind": "LLM", "llm.invocation_parameters": parameters.to_string(),
        "embedding.invocation_parameters": parameters.to_string().replace("\"seed\":1", "\"seed\":2"),
        "http.request.header.authorization": ["hunter2"], "gen_ai.request.api_key": "hunter2", "client.apiKey": "hunter2",
        "metadata": r#"{"password": "hunter2"}"#, "traceloop.association.properties.api_key": "hunter2", "llm.headers": "hunter2",
    }));
    let text = format!("{operation:?}");
    assert!(!text.contains("hunter2"), "{text}");
    let kept: Json = serde_json::from_str(&operation.request_parameters.unwrap()).unwrap();
    let hidden = "[redacted secret]";
    let extra_body = json!([{"Headers": hidden, "n": 1}, {"X-API-Key": hidden}]);
    assert_eq!(kept, json!({"api_key": hidden, "extra_headers": hidden, "seed": 1, "extra_body": extra_body}));
    assert_eq!(operation.tags["api_key"], hidden);
}

fn contents(messages: Option<String>) -> Vec<String> {
    let messages: Json = serde_json::from_str(&messages.unwrap()).unwrap();
    let parts = messages.as_array().unwrap().iter().flat_map(|message| message["parts"].as_array().unwrap());
    parts.map(|part| part["content"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn embedded_texts_and_documents_are_content_and_no_metadata() {
    let operation = of_span(json!({"openinference.span.kind": "EMBEDDING", "input.value": "{\"input\":[\"a\",\"b\"]}",
        "embedding.embeddings.0.embedding.text": "a", "embedding.embeddings.0.embedding.vector": [0.5],
        "embedding.embeddings.1.embedding.text": "b"}));
    assert!(!operation.metadata.as_ref().unwrap().contains("embedding."), "{:?}", operation.metadata);
    assert_eq!(contents(operation.input_messages), ["a", "b"]);

    let operation = of_span(json!({"openinference.span.kind": "RETRIEVER", "input.value": "q",
        "retrieval.documents.0.document.content": "found", "retrieval.documents.0.document.score": 0.5}));
    let found: Json = serde_json::from_str(operation.output_messages.as_ref().unwrap()).unwrap();
    assert_eq!(found[0]["parts"], json!([{"type": "text", "content": "found", "score": 0.5}]));
    assert_eq!(contents(operation.input_messages), ["q"]);
    assert!(!operation.metadata.unwrap().contains("found"));

    let operation = of_span(json!({"openinference.span.kind": "RERANKER", "reranker.query": "q",
        "reranker.input_documents.0.document.content": "x", "reranker.output_documents.0.document.content": "y"}));
    assert_eq!(
        (contents(operation.input_messages), contents(operation.output_messages)),
        (vec!["q".to_owned(), "x".to_owned()], vec!["y".to_owned()])
    );

    let operation = of_span(
        json!({"openinference.span.kind": "LLM", "llm.prompts.0.prompt.text": "begin", "llm.choices.0.completion.text": "end"}),
    );
    assert_eq!(
        (contents(operation.input_messages), contents(operation.output_messages)),
        (vec!["begin".to_owned()], vec!["end".to_owned()])
    );
}

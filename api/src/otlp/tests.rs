//! Requests as exporters sent them, and hand-made ones for what those do not show.

mod encodings;
mod hostile;
mod models_and_reasons;
mod privacy;
mod requests;

use opstream_schemas::Operation;
use serde_json::{Value as Json, json};

use self::requests::{request, to_json};
use super::budget::DecodeError;
use super::model::Traces;
use super::*;
use crate::ContentCapture;

/// What opentelemetry-instrumentation-openai-v2 2.3b0 and openinference-instrumentation-openai 0.1.66 sent of one application: chats with
/// and without cached input, a reasoning model, a tool call, a stream, an embedding, one 429 and one 500.
const OTEL: &[u8] = include_bytes!("captures/otel-openai-v2.bin");
const OPENINFERENCE: &[u8] = include_bytes!("captures/openinference-openai.bin");

/// All of a request.
#[derive(Debug)]
struct Converted {
    items: Vec<Result<Operation, String>>,
    surroundings: u64,
}

fn convert(body: &[u8], encoding: Encoding, terms: &Terms) -> Result<Converted, DecodeError> {
    let mut items = Vec::new();
    let surroundings = super::convert::convert(body, encoding, terms, |slice| {
        items.extend(slice);
        true
    })?;
    Ok(Converted { items, surroundings })
}

fn terms() -> Terms {
    Terms { workspace: None, content: ContentCapture::On }
}

fn operations(body: &[u8], encoding: Encoding) -> Vec<Operation> {
    convert(body, encoding, &terms()).unwrap().items.into_iter().map(|item| item.unwrap()).collect()
}

/// The operations of spans with these attributes, each `(span id, parent, attributes)`, in one trace.
fn of_spans(spans: &[(&str, &str, Json)]) -> Vec<Operation> {
    operations(request(spans).to_string().as_bytes(), Encoding::Json)
}

fn of_span(attributes: Json) -> Operation {
    let [operation] = of_spans(&[("01", "", attributes)]).try_into().unwrap();
    operation
}

fn sum(operations: &[Operation], count: impl Fn(&Operation) -> i64) -> i64 {
    operations.iter().map(count).sum()
}

#[test]
fn captured_requests_give_exactly_their_operations_tokens_and_failures() {
    for (body, cache_read, reasoning) in [(OTEL, 0, 0), (OPENINFERENCE, 249, 12)] {
        let operations = operations(body, Encoding::Protobuf);
        let of_type = |name: &str| operations.iter().filter(|operation| operation.operation_type == name).count();
        assert_eq!((operations.len(), of_type("chat"), of_type("embeddings")), (9, 8, 1));
        assert_eq!(sum(&operations, |operation| operation.input_tokens.unwrap_or(0)), 696);
        assert_eq!(sum(&operations, |operation| operation.output_tokens.unwrap_or(0)), 130);
        assert_eq!(sum(&operations, |operation| operation.cache_read_tokens), cache_read);
        assert_eq!(sum(&operations, |operation| operation.reasoning_tokens), reasoning);
        let failed: Vec<&Operation> = operations.iter().filter(|operation| !operation.success).collect();
        assert_eq!(failed.len(), 2);
        for operation in &operations {
            assert_eq!(operation.provider.as_deref(), Some("openai"), "{operation:?}");
            assert!(operation.session_id.is_some() && operation.service.is_some(), "{operation:?}");
            assert!(operation.environment.is_some() && operation.workspace != "default", "{operation:?}");
            assert!(operation.latency_us.is_some() && operation.model.is_some(), "{operation:?}");
        }
        for operation in failed {
            assert!(operation.error_type.is_some() && operation.error_message.is_some(), "{operation:?}");
        }
    }
}

#[test]
fn the_same_request_gives_the_same_operations_in_both_encodings() {
    for body in [OTEL, OPENINFERENCE] {
        let traces = protobuf::read_traces(body, &mut budget::Budget::default()).unwrap();
        let json = to_json(&traces).to_string();
        let of_json: Traces<'_> = serde_json::from_str(&json).unwrap();
        assert_eq!(of_json, traces);
        assert_eq!(operations(json.as_bytes(), Encoding::Json), operations(body, Encoding::Protobuf));
    }
}

#[test]
fn another_workspace_has_other_operations() {
    let elsewhere = Terms { workspace: Some("lab".to_owned()), ..terms() };
    let elsewhere = convert(OTEL, Encoding::Protobuf, &elsewhere).unwrap().items;
    for (here, there) in operations(OTEL, Encoding::Protobuf).iter().zip(elsewhere) {
        let there = there.unwrap();
        assert_eq!(there.workspace, "lab");
        assert_ne!(here.operation_id, there.operation_id);
        assert_eq!(here.operation_id.time(), there.operation_id.time());
    }
}

#[test]
fn content_is_read_only_where_it_is_wanted() {
    let with = operations(OPENINFERENCE, Encoding::Protobuf);
    assert!(with.iter().filter(|operation| operation.operation_type == "chat").all(Operation::has_content));
    let without = Terms { content: ContentCapture::Off, ..terms() };
    let without = convert(OPENINFERENCE, Encoding::Protobuf, &without).unwrap().items;
    assert!(without.iter().all(|item| !item.as_ref().unwrap().has_content()));
    let text = format!("{without:?}");
    let prompt = with.iter().find_map(|operation| operation.input_messages.as_ref()).unwrap();
    let prompt: Json = serde_json::from_str(prompt).unwrap();
    let said = prompt[0]["parts"][0]["content"].as_str().unwrap();
    assert!(!text.contains(said), "a prompt is left in {text}");
}

#[test]
fn counts_of_every_dialect_are_canonical() {
    let cases = [
        (
            json!({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 100, "gen_ai.usage.cache_read.input_tokens": 60,
                "gen_ai.usage.cache_write.input_tokens": 30, "gen_ai.usage.output_tokens": 9, "gen_ai.usage.reasoning.output_tokens": 4}),
            [100, 60, 30, 9, 4],
        ),
        (
            json!({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": "100", "gen_ai.usage.output_tokens": 9.0,
                "gen_ai.usage.cache_creation.input_tokens": 30}),
            [100, 0, 30, 9, 0],
        ),
        (
            // An instrumentation that passes on Anthropic's input without what was cached.
            json!({"llm.request.type": "chat", "gen_ai.system": "Anthropic", "gen_ai.usage.prompt_tokens": 10,
                "gen_ai.usage.completion_tokens": 5, "gen_ai.usage.cache_read_input_tokens": 1000}),
            [1010, 1000, 0, 5, 0],
        ),
        (
            json!({"openinference.span.kind": "LLM", "llm.token_count.prompt": 50, "llm.token_count.total": 70,
                "llm.token_count.prompt_details.cache_input": 20, "llm.token_count.completion_details.reasoning": 7}),
            [50, 20, 0, 20, 7],
        ),
    ];
    for (attributes, [input, read, write, output, reasoning]) in cases {
        let operation = of_span(attributes.clone());
        let counts = (operation.input_tokens, operation.cache_read_tokens, operation.cache_write_tokens);
        assert_eq!(counts, (Some(input), read, write), "{attributes}");
        assert_eq!((operation.output_tokens, operation.reasoning_tokens), (Some(output), reasoning), "{attributes}");
    }
}

#[test]
fn numbers_that_are_none_are_kept_as_they_came() {
    let exact = 9_007_199_254_740_993_i64;
    for value in [
        json!(-5),
        json!(1.5),
        json!("NaN"),
        json!("many"),
        json!(true),
        json!("9223372036854775808"),
        json!(exact),
        json!("-Infinity"),
    ] {
        let attributes = json!({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": value, "gen_ai.usage.output_tokens": 3});
        let operation = of_span(attributes);
        assert_eq!((operation.input_tokens, operation.output_tokens), (None, Some(3)), "{value}");
        let metadata: Json = serde_json::from_str(&operation.metadata.unwrap()).unwrap();
        assert_eq!(metadata["gen_ai.usage.input_tokens"], value);
        assert_eq!(metadata.get("gen_ai.usage.output_tokens"), None);
    }
    let odd = json!({"llm.cost.total": -0.5, "gen_ai.response.time_to_first_chunk": 1e9, "gen_ai.request.max_tokens": "all",
        "gen_ai.request.temperature": "hot", "gen_ai.request.stream": "perhaps", "opstream.attempt": 1.5, "http.response.status_code": 7,
        "gen_ai.usage.cache_read.input_tokens": -1});
    let mut attributes = odd.clone();
    attributes["gen_ai.operation.name"] = json!("chat");
    let operation = of_span(attributes);
    assert_eq!((operation.reported_cost_usd, operation.ttft_us, operation.max_tokens), (None, None, None));
    assert_eq!(
        (operation.temperature, operation.stream, operation.attempt, operation.http_status),
        (None, None, 1, None)
    );
    let metadata: Json = serde_json::from_str(&operation.metadata.unwrap()).unwrap();
    for (name, value) in odd.as_object().unwrap() {
        assert_eq!(&metadata[name], value, "{name}");
    }
    // As doubles, which JSON has no number for.
    let request = request(&[("01", "", json!({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7.5}))]);
    let body = request.to_string().replace("7.5", "\"NaN\"");
    let metadata = operations(body.as_bytes(), Encoding::Json).remove(0).metadata.unwrap();
    assert!(metadata.contains("\"gen_ai.usage.input_tokens\":\"NaN\""), "{metadata}");
}

#[test]
fn agents_and_workflows_are_not_billed_and_their_names_hold_within() {
    let operations = of_spans(&[
        (
            "01",
            "",
            json!({"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "refund", "session.id": "s",
            "gen_ai.usage.input_tokens": 100}),
        ),
        (
            "02",
            "01",
            json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "clerk", "user.id": "u",
            "gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 10}),
        ),
        (
            "03",
            "02",
            json!({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 60, "gen_ai.usage.output_tokens": 6}),
        ),
        ("04", "02", json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "look_up"})),
        (
            "05",
            "04",
            json!({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 40, "gen_ai.usage.output_tokens": 4}),
        ),
    ]);
    let types: Vec<&str> = operations.iter().map(|operation| operation.operation_type.as_str()).collect();
    assert_eq!(types, ["invoke_agent", "chat", "execute_tool", "chat"]);
    assert_eq!(sum(&operations, |operation| operation.input_tokens.unwrap_or(0)), 100);
    assert_eq!(sum(&operations, |operation| operation.output_tokens.unwrap_or(0)), 10);
    for operation in &operations {
        assert_eq!(operation.session_id.as_deref(), Some("s"));
        assert_eq!((operation.agent_name.as_deref(), operation.user_id.as_deref()), (Some("clerk"), Some("u")));
    }
    let actions: Vec<_> = operations.iter().map(|operation| operation.action_id.as_deref().unwrap()).collect();
    assert_eq!(actions, ["refund", "refund", "look_up", "look_up"]);
    assert!(operations[0].metadata.as_ref().unwrap().contains("\"gen_ai.usage.input_tokens\":100"));
}

#[test]
fn a_call_that_a_framework_tells_again_counts_once() {
    let call = json!({"openinference.span.kind": "LLM", "llm.token_count.prompt": 10});
    let operations = of_spans(&[
        ("01", "", call.clone()),
        ("02", "01", json!({"openinference.span.kind": "CHAIN"})),
        ("03", "02", call.clone()),
        ("04", "01", call.clone()),
        // A tool that calls a model itself is another call.
        ("05", "04", json!({"openinference.span.kind": "TOOL"})),
        ("06", "05", call),
    ]);
    let spans: Vec<&str> = operations.iter().map(|operation| &operation.span_id.as_ref().unwrap()[14..]).collect();
    assert_eq!(spans, ["03", "04", "05", "06"]);
}

#[test]
fn a_long_request_comes_in_slices_until_nobody_wants_more() {
    let spans: Vec<(String, &str, Json)> =
        (1..=4_500).map(|id| (format!("{id:x}"), "", json!({"gen_ai.operation.name": "chat"}))).collect();
    let spans: Vec<(&str, &str, Json)> =
        spans.iter().map(|(id, parent, is)| (id.as_str(), *parent, is.clone())).collect();
    let body = request(&spans).to_string();
    for (wanted, expected) in [(9, vec![2_000, 2_000, 500]), (1, vec![2_000])] {
        let mut slices = Vec::new();
        super::convert::convert(body.as_bytes(), Encoding::Json, &terms(), |slice| {
            slices.push(slice.len());
            slices.len() < wanted
        })
        .unwrap();
        assert_eq!(slices, expected);
    }
}

#[test]
fn parents_in_a_circle_end() {
    let chat = json!({"gen_ai.operation.name": "chat"});
    let circle = [("01", "02", chat.clone()), ("02", "01", chat.clone()), ("03", "03", chat)];
    let converted = convert(request(&circle).to_string().as_bytes(), Encoding::Json, &terms()).unwrap();
    assert_eq!((converted.items.len(), converted.surroundings), (2, 1), "of the first two one is left, and the third");
}

#[test]
fn flat_messages_are_put_together_again() {
    let operation = of_span(json!({
        "llm.request.type": "chat",
        "gen_ai.prompt.10.role": "user", "gen_ai.prompt.10.content": "and now?",
        "gen_ai.prompt.0.role": "system", "gen_ai.prompt.0.content": "be kind",
        "gen_ai.prompt.2.role": "user", "gen_ai.prompt.2.content": "[{\"type\":\"text\",\"text\":\"hello\"}]",
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.finish_reason": "tool_calls",
        "gen_ai.completion.0.tool_calls.0.id": "c1", "gen_ai.completion.0.tool_calls.0.name": "look_up",
        "gen_ai.completion.0.tool_calls.0.arguments": "{\"order\":7}",
    }));
    assert_eq!(operation.system_prompt.as_deref(), Some("be kind"));
    let input: Json = serde_json::from_str(&operation.input_messages.unwrap()).unwrap();
    let expected = ["be kind", "hello", "and now?"];
    let said: Vec<&str> =
        input.as_array().unwrap().iter().map(|message| message["parts"][0]["content"].as_str().unwrap()).collect();
    assert_eq!(said, expected);
    let output: Json = serde_json::from_str(&operation.output_messages.unwrap()).unwrap();
    let call = json!({"type": "tool_call", "id": "c1", "name": "look_up", "arguments": {"order": 7}});
    assert_eq!(output, json!([{"role": "assistant", "finish_reason": "tool_calls", "parts": [call]}]));
}

#[test]
fn parameters_tags_and_the_rest_find_a_place() {
    let operation = of_span(json!({
        "openinference.span.kind": "LLM", "llm.invocation_parameters": "{\"temperature\":0.5,\"max_tokens\":9,\"seed\":1,\"model\":\"m\"}",
        "gen_ai.request.top_p": 0.9, "tag.tags": ["blue"], "traceloop.association.properties.tier": "gold",
        "metadata": "{\"ticket\":3}", "my.own": "attribute", "llm.cost.total": 0.0125, "gen_ai.request.model": "gpt-5-mini",
        "__proto__": "x", "a\u{0}b": "c\u{0}d",
    }));
    assert_eq!((operation.temperature, operation.max_tokens), (Some(0.5), Some(9)));
    assert_eq!(operation.request_parameters.as_deref(), Some("{\"seed\":1,\"top_p\":0.9}"));
    assert_eq!(operation.reported_cost_usd.unwrap().nanos(), 12_500_000);
    assert_eq!(
        operation.tags.into_iter().collect::<Vec<_>>(),
        [("blue".to_owned(), "true".to_owned()), ("tier".to_owned(), "gold".to_owned())]
    );
    let metadata: Json = serde_json::from_str(&operation.metadata.unwrap()).unwrap();
    for (name, value) in [
        ("my.own", json!("attribute")),
        ("ticket", json!(3)),
        ("__proto__", json!("x")),
        ("a\u{fffd}b", json!("c\u{fffd}d")),
    ] {
        assert_eq!(metadata[name], value, "{name}");
    }
}

#[test]
fn a_span_without_ids_or_start_is_refused_alone() {
    let chats = ["01", "02", "03", "04"].map(|id| (id, "", json!({"gen_ai.operation.name": "chat"})));
    let mut request = request(&chats);
    let spans = &mut request["resourceSpans"][0]["scopeSpans"][0]["spans"];
    spans[0]["traceId"] = json!("0000");
    spans[1]["spanId"] = json!("0000000000000000");
    spans[2]["startTimeUnixNano"] = Json::Null;
    let items = convert(request.to_string().as_bytes(), Encoding::Json, &terms()).unwrap().items;
    let refused: Vec<bool> = items.iter().map(Result::is_err).collect();
    assert_eq!(refused, [true, true, true, false]);
    assert!(items[0].as_ref().unwrap_err().starts_with("span \"a call\" (0000000000000001): its trace id is not 32"));
}

#[test]
fn json_is_read_leniently() {
    for text in [
        "{}",
        r#"{"resourceSpans":null,"unknown":[1]}"#,
        r#"{"resourceSpans":[{"resource":null,"scopeSpans":[{"scope":null,"spans":[{"attributes":null,"status":null,"kind":"SPAN_KIND_CLIENT"}]}]}]}"#,
        r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"key":"a","value":{"arrayValue":{}}},{"key":"b"},{"value":{"doubleValue":"NaN"}},{"key":"c","value":{"kvlistValue":{"values":null}}}]}]}]}]}"#,
    ] {
        convert(text.as_bytes(), Encoding::Json, &terms()).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    let code = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"status":{"code":"STATUS_CODE_ERROR"}}]}]}]}"#;
    let traces: Traces<'_> = serde_json::from_str(code).unwrap();
    assert!(traces.resource_spans[0].scope_spans[0].spans[0].status.is_error());
}

#[test]
fn damaged_and_hostile_bodies_are_errors() {
    for cut in 1..OTEL.len() {
        // Cut anywhere it is an error or, between two fields, a shorter request.
        convert(&OTEL[..cut], Encoding::Protobuf, &terms()).ok();
    }
    assert!(matches!(convert(b"\xff\xff", Encoding::Protobuf, &terms()), Err(DecodeError::Damaged(_))));
    for body in [&b"{"[..], b"[]", b" [{\"resourceSpans\":[]}]", b"null", b"7", b""] {
        assert!(matches!(convert(body, Encoding::Json, &terms()), Err(DecodeError::Damaged(_))), "{body:?}");
    }
    let deep = format!("{}{}", r#"{"arrayValue":{"values":["#.repeat(100_000), "]}}".repeat(100_000));
    let deep = format!(r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"a","value":{deep}}}]}}}}]}}"#);
    assert_eq!(convert(deep.as_bytes(), Encoding::Json, &terms()).unwrap_err(), DecodeError::TooDeep);
    let many = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}{{}}]}}]}}]}}"#, "{},".repeat(60_000));
    assert!(matches!(
        convert(many.as_bytes(), Encoding::Json, &terms()),
        Err(DecodeError::TooMany { parts: "spans", .. })
    ));
    let crowd = format!(r#"{{"resourceSpans":[{}{{}}]}}"#, "{},".repeat(2_100_000));
    assert!(matches!(convert(crowd.as_bytes(), Encoding::Json, &terms()), Err(DecodeError::TooMany { .. })));
    // Spans of two bytes each, within a scope within a resource.
    let spans = [0x12, 0x00].repeat(60_000);
    let nested = |field: u8, inner: &[u8]| {
        let mut message = vec![field];
        prost::encoding::encode_varint(inner.len() as u64, &mut message);
        message.extend_from_slice(inner);
        message
    };
    let body = nested(0x0a, &nested(0x12, &spans));
    assert!(matches!(convert(&body, Encoding::Protobuf, &terms()), Err(DecodeError::TooMany { parts: "spans", .. })));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            convert(&bytes, encoding, &terms()).ok();
        }
    }
}

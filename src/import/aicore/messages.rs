//! Prompts and answers in OpenTelemetry's message shape, from the shapes of the providers that `AiCore` calls.
//!
//! Knows chat messages (`OpenAI`, Mistral, Groq, Gemini through their compatible interfaces), Anthropic's content blocks
//! and the items of `OpenAI`'s Responses interface. What it does not know is passed on as it is: readers of this shape
//! tolerate unknown parts.

use serde_json::{Map, Value, json};

use super::record::AicoreRecord;

/// Messages of the request as JSON text; the system prompt has a field of its own and is left out. None without any.
pub(super) fn input_messages(record: &AicoreRecord, arguments: &Map<String, Value>) -> Option<String> {
    let has_system_prompt = !record.system_prompt.is_empty();
    let mut messages: Vec<Value> = request_messages(record, arguments).iter().map(message).collect();
    messages.retain(|message| !(has_system_prompt && message["role"] == "system"));
    (!messages.is_empty()).then(|| Value::Array(messages).to_string())
}

/// The answer as JSON text; none when it is empty.
pub(super) fn output_messages(response: &Value) -> Option<String> {
    let text = match response {
        Value::Null => return None,
        Value::String(text) if text.is_empty() => return None,
        Value::String(text) => text.clone(),
        structured => structured.to_string(),
    };
    Some(json!([{"role": "assistant", "parts": [text_part(&text)]}]).to_string())
}

/// Tool definitions as JSON text, in the provider's own shape.
pub(super) fn tool_definitions(arguments: &Map<String, Value>) -> Option<String> {
    let tools = arguments.get("tools").or_else(|| arguments.get("functions"))?;
    matches!(tools, Value::Array(tools) if !tools.is_empty()).then(|| tools.to_string())
}

/// The most complete form of the request that the record holds.
fn request_messages(record: &AicoreRecord, arguments: &Map<String, Value>) -> Vec<Value> {
    for name in ["messages", "input", "prompt"] {
        match arguments.get(name) {
            Some(Value::Array(messages)) if !messages.is_empty() => return messages.clone(),
            Some(Value::String(prompt)) if !prompt.is_empty() => {
                return vec![json!({"role": "user", "content": prompt})];
            }
            _ => {}
        }
    }
    match serde_json::from_str(&record.history_messages) {
        Ok(Value::Array(messages)) if !messages.is_empty() => messages,
        _ if record.user_prompt.is_empty() => Vec::new(),
        _ => vec![json!({"role": "user", "content": record.user_prompt})],
    }
}

fn message(source: &Value) -> Value {
    let role = source["role"].as_str().unwrap_or(match source["type"].as_str() {
        Some("function_call_output") => "tool",
        Some("function_call") => "assistant",
        _ => "user",
    });
    let mut parts = match source["type"].as_str() {
        Some("function_call" | "function_call_output") => vec![part(source)],
        _ if matches!(role, "tool" | "function") => {
            vec![tool_response(&source["tool_call_id"], &source["content"])]
        }
        _ => content_parts(&source["content"]),
    };
    if let Value::Array(calls) = &source["tool_calls"] {
        parts.extend(
            calls.iter().map(|call| tool_call(&call["id"], &call["function"]["name"], &call["function"]["arguments"])),
        );
    }
    let mut message = json!({"role": role, "parts": parts});
    if let Value::String(name) = &source["name"] {
        message["name"] = json!(name);
    }
    message
}

fn content_parts(content: &Value) -> Vec<Value> {
    match content {
        Value::Null => Vec::new(),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => vec![text_part(text)],
        Value::Array(parts) => parts.iter().map(part).collect(),
        other => vec![part(other)],
    }
}

fn part(source: &Value) -> Value {
    match (source["type"].as_str(), source) {
        (Some("text" | "input_text" | "output_text"), _) => text_part(source["text"].as_str().unwrap_or_default()),
        (Some("thinking"), _) => json!({"type": "reasoning", "content": source["thinking"]}),
        (Some("tool_use"), _) => tool_call(&source["id"], &source["name"], &source["input"]),
        (Some("tool_result"), _) => tool_response(&source["tool_use_id"], &source["content"]),
        (Some("function_call"), _) => tool_call(&source["call_id"], &source["name"], &source["arguments"]),
        (Some("function_call_output"), _) => tool_response(&source["call_id"], &source["output"]),
        (Some(_), _) => source.clone(),
        (None, Value::String(text)) => text_part(text),
        (None, other) => text_part(&other.to_string()),
    }
}

fn text_part(text: &str) -> Value {
    json!({"type": "text", "content": text})
}

/// Arguments are JSON text at `OpenAI` and a map at Anthropic; both become a map where they can.
fn tool_call(id: &Value, name: &Value, arguments: &Value) -> Value {
    let parsed = arguments.as_str().and_then(|text| serde_json::from_str(text).ok());
    json!({"type": "tool_call", "id": id, "name": name, "arguments": parsed.unwrap_or_else(|| arguments.clone())})
}

fn tool_response(id: &Value, response: &Value) -> Value {
    json!({"type": "tool_call_response", "id": id, "response": response})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(messages: &Value) -> Value {
        let record = AicoreRecord { system_prompt: "be brief".to_owned(), ..AicoreRecord::default() };
        let arguments = Map::from_iter([("messages".to_owned(), messages.clone())]);
        serde_json::from_str(&input_messages(&record, &arguments).unwrap()).unwrap()
    }

    #[test]
    fn a_tool_round_of_openai_and_of_anthropic_reads_the_same() {
        let openai = converted(&json!([
            {"role": "system", "content": "be brief"},
            {"role": "user", "content": [{"type": "text", "text": "weather?"}]},
            {"role": "assistant", "content": null,
             "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"at\":\"sea\"}"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "rain"}
        ]));
        let anthropic = converted(&json!([
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "sea"}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "rain"}
        ]));
        assert_eq!(openai, anthropic);
        assert_eq!(openai[1]["parts"][0]["arguments"], json!({"at": "sea"}));
        assert_eq!(openai[2]["parts"][0], json!({"type": "tool_call_response", "id": "c1", "response": "rain"}));
    }

    #[test]
    fn a_part_that_nobody_knows_is_kept_as_it_is() {
        let image = json!({"type": "image_url", "information": "image b64 content"});
        let messages = converted(&json!([{"role": "user", "content": [image]}]));
        assert_eq!(messages[0]["parts"][0], image);
    }

    #[test]
    fn an_empty_answer_is_no_message() {
        assert_eq!(output_messages(&json!("")), None);
        assert_eq!(output_messages(&Value::Null), None);
        let answer = output_messages(&json!("fine")).unwrap();
        assert_eq!(answer, r#"[{"parts":[{"content":"fine","type":"text"}],"role":"assistant"}]"#);
    }

    #[test]
    fn a_record_without_messages_still_has_its_prompt() {
        let record = AicoreRecord { user_prompt: "hello".to_owned(), ..AicoreRecord::default() };
        let text = input_messages(&record, &Map::new()).unwrap();
        assert_eq!(text, r#"[{"parts":[{"content":"hello","type":"text"}],"role":"user"}]"#);
        assert_eq!(input_messages(&AicoreRecord::default(), &Map::new()), None);
    }
}

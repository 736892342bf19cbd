//! What the demo's agents say. Every text says that it is invented.

use opstream_schemas::Operation;
use serde_json::json;

const TOPICS: [&str; 8] = [
    "a parcel that went to the moon",
    "the colour of a function",
    "a bicycle for fish",
    "the price of a spare rainbow",
    "a test that passes on Sundays only",
    "the shortest way round a corner",
    "a kettle that answers letters",
    "the difference between a duck",
];

/// Adds a system prompt and a question.
pub(super) fn add_prompt(operation: &mut Operation, n_before: u32) {
    let agent = operation.agent_name.as_deref().unwrap_or("an agent");
    let action = operation.action_id.as_deref().unwrap_or("work");
    let question = format!("[demo] {action}: tell me about {}.", topic(n_before));
    operation.system_prompt = Some(format!("[demo] You are {agent}, invented for a demonstration."));
    operation.input_messages = Some(message("user", &question));
}

/// Adds an answer.
pub(super) fn add_answer(operation: &mut Operation, n_before: u32) {
    let answer = format!("[demo] Nothing is known about {}; this answer is invented.", topic(n_before));
    operation.output_messages = Some(message("assistant", &answer));
}

fn topic(number: u32) -> &'static str {
    let index = usize::try_from(number).unwrap_or(0) % TOPICS.len();
    TOPICS[index]
}

fn message(role: &str, text: &str) -> String {
    json!([{"role": role, "parts": [{"type": "text", "content": text}]}]).to_string()
}

//! A body of log records to the content of spans. Pure.
//!
//! Instrumentations that do not put prompts and answers on their spans send them as events: log records with the ids of their span. The
//! rest of what an application logs is passed over.

use opstream_schemas::UtcMicros;
use opstream_schemas::operation::DEFAULT_WORKSPACE;
use opstream_schemas::span_content::SpanContent;
use opstream_schemas::validate::{AcceptedTimes, MAX_IDENTIFIER_BYTES, check_time};

use super::answer::Encoding;
use super::budget::{Budget, DecodeError};
use super::content::Content;
use super::dialects::Meaning;
use super::json_text::{check_depth, read_body};
use super::model::{LogRecord, Logs};
use super::operation::{Terms, hex_of, micros};
use super::protobuf;
use super::said::{Said, clean};
use crate::front_door::excerpt;

/// What the names of all events begin with that are about a model.
const EVENTS: &str = "gen_ai.";
/// Where the name was before records had a field for it.
const EVENT_NAME: &str = "event.name";

/// What a request holds.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    pub(crate) contents: Vec<SpanContent>,
    /// Records that say nothing of a prompt or answer.
    pub(crate) passed_over: u64,
    /// Why others that do are not kept.
    pub(crate) refused: Vec<String>,
}

/// When records may have happened, and what those did that do not say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    pub(crate) now: UtcMicros,
    pub(crate) accepted_times: AcceptedTimes,
}

/// Reads a body.
///
/// # Errors
/// When it cannot be read, or holds too much.
pub(crate) fn convert_logs(
    body: &[u8],
    encoding: Encoding,
    terms: &Terms,
    clock: Clock,
) -> Result<Logged, DecodeError> {
    let mut budget = Budget::default();
    let mut mended = Vec::new();
    let logs = match encoding {
        Encoding::Protobuf => protobuf::read_logs(body, &mut budget)?,
        Encoding::Json => read_json(body, &mut mended, &mut budget)?,
    };
    let (mut logged, mut sequence) = (Logged::default(), 0);
    for resource_logs in &logs.resource_logs {
        let of_resource = Said::of(&resource_logs.resource.attributes);
        for record in resource_logs.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            sequence += 1;
            let name = event_name(record);
            if !name.starts_with(EVENTS) {
                logged.passed_over += 1;
                continue;
            }
            let content = Content::of_log_record(&name, record).into_span_content();
            if !content.has_texts() {
                logged.passed_over += 1;
                continue;
            }
            let workspace = || Said::of(&record.attributes).text(Meaning::Workspace);
            let workspace = terms.workspace.clone().or_else(workspace).or_else(|| of_resource.text(Meaning::Workspace));
            let workspace = workspace.unwrap_or_else(|| DEFAULT_WORKSPACE.to_owned());
            match place(SpanContent { workspace, sequence, ..content }, record, clock) {
                Ok(content) => {
                    let event_name = excerpt(&name, MAX_IDENTIFIER_BYTES);
                    logged.contents.push(SpanContent { event_name, ..content });
                }
                Err(reason) => logged.refused.push(format!("log record {:?}: {reason}", excerpt(&name, 100))),
            }
        }
    }
    Ok(logged)
}

/// Says whose content it is, and when it was recorded.
fn place(content: SpanContent, record: &LogRecord<'_>, clock: Clock) -> Result<SpanContent, String> {
    let trace_id = hex_of(&record.trace_id, 16, "trace")?;
    let span_id = hex_of(&record.span_id, 8, "span")?;
    let workspace_bytes = content.workspace.len();
    if workspace_bytes > MAX_IDENTIFIER_BYTES {
        return Err(format!("its workspace has {workspace_bytes} bytes; at most {MAX_IDENTIFIER_BYTES} are allowed"));
    }
    let times = [record.time_unix_nano, record.observed_time_unix_nano];
    let recorded_at = times.into_iter().find(|nanos| *nanos > 0).map_or(clock.now, micros);
    check_time("time_unix_nano", recorded_at.to_millis(), clock.accepted_times).map_err(|error| error.to_string())?;
    Ok(SpanContent { trace_id, span_id, recorded_at, ..content })
}

fn event_name(record: &LogRecord<'_>) -> String {
    if !record.event_name.is_empty() {
        return clean(&record.event_name).into_owned();
    }
    let found = record.attributes.iter().find(|attribute| attribute.key == EVENT_NAME);
    found.map(|attribute| clean(&attribute.value.to_text()).into_owned()).unwrap_or_default()
}

fn read_json<'a>(body: &'a [u8], mended: &'a mut Vec<u8>, budget: &mut Budget) -> Result<Logs<'a>, DecodeError> {
    let logs: Logs<'a> = read_body(body, mended)?;
    for resource in &logs.resource_logs {
        check_depth(&resource.resource.attributes)?;
        for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
            budget.take_log_record()?;
            check_depth(&record.attributes)?;
            record.body.check_depth(0)?;
        }
    }
    Ok(logs)
}

#[cfg(test)]
mod tests {
    use opstream_schemas::UtcMillis;
    use opstream_schemas::validate::DEFAULT_RETENTION_FLOOR;
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::ContentCapture;

    const NANOS: u64 = 1_790_000_000_123_456_789;

    fn converted(records: &Json) -> Logged {
        let clock = Clock {
            now: UtcMicros::from_micros(1_790_000_100_000_000),
            accepted_times: AcceptedTimes::at(UtcMillis::from_millis(1_790_000_100_000), DEFAULT_RETENTION_FLOOR),
        };
        let terms = Terms { workspace: None, content: ContentCapture::On };
        let resource = json!({"attributes": [{"key": "service.namespace", "value": {"stringValue": "lab"}}]});
        let body = json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]});
        convert_logs(body.to_string().as_bytes(), Encoding::Json, &terms, clock).unwrap()
    }

    fn record(name: &str, body: &Json) -> Json {
        json!({
            "timeUnixNano": NANOS.to_string(), "eventName": name, "body": body,
            "traceId": "0AF7651916CD43DD8448EB211C80319C", "spanId": "b7ad6b7169203331",
        })
    }

    fn map(entries: &[(&str, Json)]) -> Json {
        let values: Vec<Json> = entries.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
        json!({"kvlistValue": {"values": values}})
    }

    fn text(text: &str) -> Json {
        json!({"stringValue": text})
    }

    fn messages(text: Option<&str>) -> Json {
        serde_json::from_str(text.unwrap_or("null")).unwrap()
    }

    #[test]
    fn messages_of_older_conventions_are_one_event_each() {
        let choice = map(&[("finish_reason", text("stop")), ("message", map(&[("content", text("Paris"))]))]);
        let logged = converted(&json!([
            record("gen_ai.system.message", &map(&[("content", text("be brief"))])),
            record("gen_ai.user.message", &map(&[("content", text("capital?"))])),
            record("gen_ai.choice", &choice),
        ]));
        let [system, user, answer] = logged.contents.as_slice() else { panic!("{logged:?}") };
        assert_eq!(system.system_prompt.as_deref(), Some("be brief"));
        assert_eq!(user.system_prompt, None);
        let part = |content: &str| json!([{"type": "text", "content": content}]);
        assert_eq!(messages(user.input_messages.as_deref()), json!([{"role": "user", "parts": part("capital?")}]));
        let expected = json!([{"role": "assistant", "parts": part("Paris"), "finish_reason": "stop"}]);
        assert_eq!(messages(answer.output_messages.as_deref()), expected);
        assert_eq!(
            (user.trace_id.as_str(), user.span_id.as_str()),
            ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
        );
        assert_eq!(
            (user.workspace.as_str(), user.recorded_at.micros(), user.sequence),
            ("lab", 1_790_000_000_123_456, 2)
        );
    }

    #[test]
    fn details_are_one_event_with_everything_in_attributes_or_body() {
        let messages_text = r#"[{"role":"user","parts":[{"type":"text","content":"hi"}]}]"#;
        let mut in_attributes = record("", &Json::Null);
        in_attributes["attributes"] = json!([
            {"key": "event.name", "value": text("gen_ai.client.inference.operation.details")},
            {"key": "opstream.workspace", "value": text("own")},
            {"key": "gen_ai.input.messages", "value": text(messages_text)},
            {"key": "gen_ai.system_instructions", "value": text(r#"[{"type":"text","content":"be brief"}]"#)},
        ]);
        let in_body = map(&[("gen_ai.input.messages", text(messages_text))]);
        let in_body = record("gen_ai.client.inference.operation.details", &in_body);
        let logged = converted(&json!([in_attributes, in_body]));
        let [first, second] = logged.contents.as_slice() else { panic!("{logged:?}") };
        assert_eq!(messages(first.input_messages.as_deref()), messages(Some(messages_text)));
        assert_eq!((first.workspace.as_str(), first.system_prompt.as_deref()), ("own", Some("be brief")));
        assert_eq!(second.input_messages, first.input_messages);
    }

    #[test]
    fn what_says_nothing_of_a_prompt_is_passed_over_and_what_says_not_whose_is_refused() {
        let content = map(&[("content", text("hi"))]);
        let mut nobodys = record("gen_ai.user.message", &content);
        nobodys["traceId"] = json!("");
        let mut ancient = record("gen_ai.user.message", &content);
        ancient["timeUnixNano"] = json!("1000");
        let logged = converted(&json!([
            record("gen_ai.choice", &map(&[("finish_reason", text("stop")), ("index", json!({"intValue": "0"}))])),
            record("app.started", &content),
            record("", &text("just a line")),
            nobodys,
            ancient,
        ]));
        assert_eq!((logged.contents.len(), logged.passed_over), (0, 3));
        let [no_trace, too_early] = logged.refused.as_slice() else { panic!("{logged:?}") };
        assert!(no_trace.contains("gen_ai.user.message") && no_trace.contains("trace"), "{no_trace}");
        assert!(too_early.contains("1970"), "{too_early}");
    }

    #[test]
    fn a_record_without_a_time_was_observed_or_comes_now() {
        let timed = |field: &str| {
            let mut record = record("gen_ai.user.message", &map(&[("content", text("hi"))]));
            record["timeUnixNano"] = json!(0);
            record[field] = json!(NANOS);
            converted(&json!([record])).contents[0].recorded_at.micros()
        };
        assert_eq!(timed("observedTimeUnixNano"), 1_790_000_000_123_456);
        assert_eq!(timed("droppedAttributesCount"), 1_790_000_100_000_000);
    }
}

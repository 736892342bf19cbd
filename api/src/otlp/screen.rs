//! What is kept of attributes and parameters that have no field: credentials never, and where content is not kept nothing that could
//! hold words of a prompt. Pure.
//!
//! Instrumentations invent names for prompts faster than anybody could list them, so the list is of what may stay.

use serde_json::{Map, Value as Json};

use super::credentials::without_credentials;
use super::dialects;
use crate::ContentCapture;

/// How the names of attributes begin that say where something ran and over what it spoke.
const INFRASTRUCTURE: [&str; 25] = [
    "aws.bedrock.",
    "aws.ecs.",
    "aws.eks.",
    "aws.lambda.",
    "azure.",
    "client.",
    "cloud.",
    "container.",
    "deployment.",
    "device.",
    "faas.",
    "gcp.client.",
    "gcp.cloud_run.",
    "gcp.gce.",
    "host.",
    "k8s.",
    "net.",
    "network.",
    "os.",
    "process.executable.",
    "process.runtime.",
    "server.",
    "service.",
    "telemetry.",
    "thread.",
];

/// And those that say what a call was, in the dialects of language models.
const STRUCTURE: [&str; 11] = [
    "gen_ai.embeddings.",
    "gen_ai.openai.",
    "gen_ai.token.",
    "gen_ai.usage.",
    "graph.node.",
    "llm.cost.",
    "llm.token_count.",
    "llm.usage.",
    "openai.api.",
    "openai.response.",
    "ai.model.",
];

/// Names that stand alone; sorted.
const ALONE: [&str; 52] = [
    "ai.operationId",
    "ai.response.finishReason",
    "ai.response.id",
    "ai.response.model",
    "ai.telemetry.functionId",
    "ai.toolCall.id",
    "ai.toolCall.name",
    "aws.region",
    "aws.request_id",
    "code.file.path",
    "code.filepath",
    "code.function",
    "code.function.name",
    "code.namespace",
    "db.collection.name",
    "db.namespace",
    "db.operation.name",
    "db.system",
    "db.system.name",
    "gen_ai.agent.version",
    "gen_ai.data_source.id",
    "gen_ai.evaluation.name",
    "gen_ai.evaluation.score.label",
    "gen_ai.memory.store.id",
    "gen_ai.memory.store.name",
    "gen_ai.output.type",
    "gen_ai.prompt.version",
    "gen_ai.tool.call.id",
    "gen_ai.tool.type",
    "http.flavor",
    "http.method",
    "http.request.method",
    "http.route",
    "http.scheme",
    "langfuse.environment",
    "langfuse.observation.model.name",
    "langfuse.observation.type",
    "langfuse.release",
    "langfuse.version",
    "llm.prompt_template.version",
    "llm.vendor",
    "process.owner",
    "prompt.vendor",
    "rpc.method",
    "rpc.service",
    "rpc.system",
    "tool.id",
    "traceloop.correlation.id",
    "traceloop.entity.path",
    "traceloop.entity.version",
    "traceloop.prompt.version",
    "url.scheme",
];

/// Parameters of a request whose texts are words of its api; sorted.
const PARAMETERS: [&str; 34] = [
    "anthropic_version",
    "background",
    "effort",
    "encoding_format",
    "encoding_formats",
    "format",
    "generation_config",
    "include",
    "input_type",
    "modalities",
    "mode",
    "output.type",
    "output_dimension",
    "output_format",
    "previous_response.id",
    "previous_response_id",
    "prompt_cache_retention",
    "quality",
    "reasoning",
    "reasoning.level",
    "reasoning_effort",
    "reasoning_summary",
    "response_format",
    "response_mime_type",
    "service_tier",
    "size",
    "speed",
    "stream_options",
    "thinking",
    "tool_choice",
    "truncation",
    "type",
    "verbosity",
    "voice",
];

/// Decides about one operation, and counts what it withholds.
#[derive(Debug)]
pub(super) struct Screen {
    is_content_kept: bool,
    withheld: usize,
}

impl Screen {
    /// For operations whose content is kept or not.
    pub(super) fn new(content: ContentCapture) -> Self {
        Self { is_content_kept: content == ContentCapture::On, withheld: 0 }
    }

    /// What may be kept of an attribute.
    pub(super) fn attribute(&mut self, name: &str, value: Json) -> Option<Json> {
        self.passed(name, value, is_structural)
    }

    /// What may be kept of a parameter.
    pub(super) fn parameter(&mut self, name: &str, value: Json) -> Option<Json> {
        self.passed(name, value, is_word_of_an_api)
    }

    /// How many values were left out.
    pub(super) const fn withheld(&self) -> usize {
        self.withheld
    }

    fn passed(&mut self, name: &str, value: Json, may_stay: fn(&str) -> bool) -> Option<Json> {
        let value = without_credentials(name, value);
        if self.is_content_kept { Some(value) } else { self.without_words(name, value, may_stay) }
    }

    /// Numbers and truth values are no words. Of lists and maps it must be known what they are, and then what is in them.
    fn without_words(&mut self, name: &str, value: Json, may_stay: fn(&str) -> bool) -> Option<Json> {
        match value {
            Json::Null | Json::Bool(_) | Json::Number(_) => return Some(value),
            _ if !may_stay(name) => {}
            Json::String(_) => return Some(value),
            Json::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
                return Some(Json::Array(items));
            }
            Json::Array(_) => {}
            Json::Object(fields) => {
                let fields = fields.into_iter();
                let left = fields
                    .filter_map(|(name, value)| Some((name.clone(), self.without_words(&name, value, may_stay)?)));
                return Some(Json::Object(left.collect::<Map<_, _>>()));
            }
        }
        self.withheld += 1;
        None
    }
}

/// Attributes that a field is made of, if it is none of content, and those of the lists.
fn is_structural(name: &str) -> bool {
    dialects::known(name).is_some_and(|known| !known.meaning.is_open())
        || ALONE.binary_search(&name).is_ok()
        || INFRASTRUCTURE.iter().chain(&STRUCTURE).any(|beginning| name.starts_with(beginning))
}

fn is_word_of_an_api(name: &str) -> bool {
    PARAMETERS.binary_search(&name).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn screened(name: &str, value: Json) -> (Option<Json>, usize) {
        let mut screen = Screen::new(ContentCapture::Off);
        (screen.attribute(name, value), screen.withheld())
    }

    #[test]
    fn the_lists_are_sorted() {
        assert!(ALONE.is_sorted() && PARAMETERS.is_sorted());
    }

    #[test]
    fn only_known_names_keep_texts_lists_and_maps() {
        for name in
            ["host.name", "gen_ai.usage.input_tokens", "gen_ai.system", "llm.prompt_template.version", "k8s.pod.name"]
        {
            assert_eq!(screened(name, json!("x")), (Some(json!("x")), 0), "{name}");
        }
        for name in [
            "my.own",
            "ai.prompt",
            "gen_ai.input.messages",
            "metadata",
            "input.value",
            "process.command_line",
            "url.full",
        ] {
            for value in [json!("x"), json!(["x"]), json!([1.5]), json!({"x": 1})] {
                assert_eq!(screened(name, value), (None, 1), "{name}");
            }
            assert_eq!(screened(name, json!(7)), (Some(json!(7)), 0));
        }
        assert_eq!(screened("host.ip", json!(["::1"])).0, Some(json!(["::1"])));
        assert_eq!(screened("service.more", json!({"prompt": "x", "n": 1})), (Some(json!({"n": 1})), 1));
        assert_eq!(screened("service.more", json!([{"host.name": "x"}])), (None, 1));
    }

    #[test]
    fn parameters_keep_the_words_of_their_api() {
        let mut screen = Screen::new(ContentCapture::Off);
        let mut kept = |name: &str, value: Json| screen.parameter(name, value);
        assert_eq!(kept("reasoning", json!({"effort": "high", "summary": "words"})), Some(json!({"effort": "high"})));
        let format = json!({"type": "json_schema", "json_schema": {"description": "words"}});
        assert_eq!(kept("response_format", format), Some(json!({"type": "json_schema"})));
        assert_eq!(kept("system", json!("words")), None);
        assert_eq!(kept("stop", json!(["words"])), None);
        assert_eq!(kept("seed", json!(7)), Some(json!(7)));
        assert_eq!(screen.withheld(), 4);
    }
}

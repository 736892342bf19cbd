//! The fleet that the demo plays: crews of agents, what they do in one session, and the models that they call.
//!
//! Everything in it is invented except the models, which are in the price catalogue; one is not, so that unpriced
//! operations can be seen.

/// A model and how it behaves.
#[derive(Debug)]
pub(super) struct Model {
    /// OpenTelemetry's name of the provider.
    pub(super) provider: &'static str,
    /// Name of the model.
    pub(super) name: &'static str,
    /// Usual time to the first token, milliseconds.
    pub(super) first_token_ms: u32,
    /// Usual speed of an answer.
    pub(super) tokens_per_second: u32,
    /// What its prompt cache reports.
    pub(super) cache: Cache,
    /// Whether part of the answer is reasoning.
    pub(super) reasons: bool,
    /// Whether its provider reports a cost with the answer.
    pub(super) reports_cost: bool,
}

/// What a provider reports of its prompt cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    /// Nothing.
    None,
    /// Tokens read.
    Reads,
    /// Tokens read, and tokens written in the session's first call.
    ReadsAndWrites,
}

/// One step of a session.
#[derive(Debug)]
pub(super) struct Step {
    /// Agent that makes it.
    pub(super) agent_id: &'static str,
    /// Its name for people.
    pub(super) agent_name: &'static str,
    /// Action of the agent.
    pub(super) action_id: &'static str,
    /// What it calls.
    pub(super) call: Call,
}

/// What a step calls.
#[derive(Debug)]
pub(super) enum Call {
    /// A chat with one of these models.
    Chat {
        /// The models; the first is the usual one.
        models: &'static [&'static Model],
        /// Whether the answer is streamed.
        stream: bool,
    },
    /// An embedding of the prompt.
    Embeddings {
        /// The model.
        model: &'static Model,
    },
    /// A tool of one's own.
    Tool {
        /// Usual duration, milliseconds.
        usual_ms: u32,
    },
}

/// Agents that work together in a session.
#[derive(Debug)]
pub(super) struct Crew {
    /// Project that pays.
    pub(super) project: &'static str,
    /// Team that owns it.
    pub(super) team: &'static str,
    /// Service that calls.
    pub(super) service: &'static str,
    /// The session, from its first step; a long session begins again after the last.
    pub(super) steps: &'static [Step],
    /// How often it works, relative to the others.
    pub(super) weight: u32,
}

const fn model(provider: &'static str, name: &'static str, first_token_ms: u32, tokens_per_second: u32) -> Model {
    Model {
        provider,
        name,
        first_token_ms,
        tokens_per_second,
        cache: Cache::Reads,
        reasons: false,
        reports_cost: false,
    }
}

static GPT_5_MINI: Model = Model { reasons: true, ..model("openai", "gpt-5-mini", 900, 110) };
static GPT_4_1_MINI: Model = model("openai", "gpt-4.1-mini", 450, 90);
static EMBEDDING: Model = Model { cache: Cache::None, ..model("openai", "text-embedding-3-small", 60, 1) };
static CLAUDE_SONNET: Model = Model { cache: Cache::ReadsAndWrites, ..model("anthropic", "claude-sonnet-5", 1100, 70) };
static CLAUDE_HAIKU: Model = Model { cache: Cache::ReadsAndWrites, ..model("anthropic", "claude-haiku-4-5", 500, 140) };
static GEMINI_FLASH: Model = model("gcp.gemini", "gemini-2.5-flash", 400, 180);
static MISTRAL_SMALL: Model = Model { cache: Cache::None, ..model("mistral_ai", "mistral-small-2603", 350, 120) };
static GPT_OSS: Model = Model { cache: Cache::None, ..model("groq", "openai/gpt-oss-120b", 180, 450) };
/// In no catalogue, so its operations are unpriced; its provider reports what it charged.
static UNLISTED: Model =
    Model { cache: Cache::None, reports_cost: true, ..model("openrouter", "example-lab/unlisted-13b", 800, 40) };

const fn chat(agent: (&'static str, &'static str), action_id: &'static str, models: &'static [&'static Model]) -> Step {
    Step { agent_id: agent.0, agent_name: agent.1, action_id, call: Call::Chat { models, stream: false } }
}

const fn streamed(
    agent: (&'static str, &'static str),
    action_id: &'static str,
    models: &'static [&'static Model],
) -> Step {
    Step { agent_id: agent.0, agent_name: agent.1, action_id, call: Call::Chat { models, stream: true } }
}

const fn tool(agent: (&'static str, &'static str), action_id: &'static str, usual_ms: u32) -> Step {
    Step { agent_id: agent.0, agent_name: agent.1, action_id, call: Call::Tool { usual_ms } }
}

const fn embedding(agent: (&'static str, &'static str), action_id: &'static str) -> Step {
    Step { agent_id: agent.0, agent_name: agent.1, action_id, call: Call::Embeddings { model: &EMBEDDING } }
}

const TRIAGE: (&str, &str) = ("triage", "Triage");
const RESPONDER: (&str, &str) = ("responder", "Responder");
const PLANNER: (&str, &str) = ("planner", "Planner");
const CODER: (&str, &str) = ("coder", "Coder");
const REVIEWER: (&str, &str) = ("reviewer", "Reviewer");
const RESEARCHER: (&str, &str) = ("researcher", "Researcher");
const WRITER: (&str, &str) = ("writer", "Writer");

/// The crews of every workspace.
pub(super) static CREWS: [Crew; 3] = [
    Crew {
        project: "support-desk",
        team: "customer-care",
        service: "support-api",
        weight: 5,
        steps: &[
            chat(TRIAGE, "classify", &[&GPT_4_1_MINI, &MISTRAL_SMALL]),
            embedding(TRIAGE, "find_similar"),
            tool(RESPONDER, "look_up_order", 120),
            streamed(RESPONDER, "answer", &[&CLAUDE_HAIKU, &GEMINI_FLASH]),
        ],
    },
    Crew {
        project: "code-assistant",
        team: "developer-tools",
        service: "editor-plugin",
        weight: 4,
        steps: &[
            chat(PLANNER, "plan", &[&CLAUDE_SONNET, &GPT_5_MINI]),
            tool(CODER, "read_file", 15),
            streamed(CODER, "write_code", &[&CLAUDE_SONNET, &GPT_OSS]),
            tool(CODER, "run_tests", 4200),
            chat(REVIEWER, "review", &[&GPT_5_MINI, &CLAUDE_HAIKU]),
        ],
    },
    Crew {
        project: "market-research",
        team: "insights",
        service: "nightly-reports",
        weight: 2,
        steps: &[
            tool(RESEARCHER, "search_web", 900),
            embedding(RESEARCHER, "index_pages"),
            chat(RESEARCHER, "extract_facts", &[&GEMINI_FLASH, &UNLISTED]),
            streamed(WRITER, "summarise", &[&GPT_OSS, &UNLISTED]),
        ],
    },
];

#[cfg(test)]
mod tests {
    use opstream_schemas::prices::Catalogue;

    use super::*;

    #[test]
    fn every_model_but_one_is_in_the_price_catalogue() {
        let catalogue = Catalogue::embedded();
        let priced = |model: &Model| catalogue.find(model.provider, model.name).is_some();
        let models = CREWS.iter().flat_map(|crew| crew.steps).flat_map(|step| match &step.call {
            Call::Chat { models, .. } => models.to_vec(),
            Call::Embeddings { model } => vec![*model],
            Call::Tool { .. } => Vec::new(),
        });
        for model in models {
            assert_eq!(priced(model), model.name != UNLISTED.name, "{}", model.name);
        }
    }
}

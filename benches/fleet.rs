//! The operations that are measured: those of a fleet of agents, about 400 bytes each as Avro, without content.
//!
//! Ids of requests, traces, spans and sessions are random, as real ones are, because they decide what files weigh. Names
//! repeat as in real traffic: 12 crews in four workspaces make some hundred combinations of dimensions, a few of them
//! frequent. Token counts are drawn from the trace that the demo uses. Everything follows from the seed and the times.

#[path = "../src/demo/tokens.rs"]
#[expect(
    unused_imports,
    reason = "the file brings its tests, which run with the program's and not with the benchmarks"
)]
mod tokens;

use std::collections::BTreeMap;

use opstream_schemas::{Operation, OperationId, UtcMicros};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// Sessions that are under way at any time.
const SESSIONS: usize = 2_000;
/// Calls of a session: a dozen on average.
const CALLS_OF_SESSION: std::ops::RangeInclusive<u32> = 2..=22;
const LETTERS: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A model, and how fast it answers.
struct Model {
    provider: &'static str,
    name: &'static str,
    endpoint: &'static str,
    first_token_us: i64,
    token_us: i64,
}

/// An agent and what it does in one step.
struct Step {
    agent_id: &'static str,
    agent_name: &'static str,
    action_id: &'static str,
    operation_type: &'static str,
}

/// Agents that work on one task in one workspace.
struct Crew {
    workspace: &'static str,
    project: &'static str,
    team: &'static str,
    service: &'static str,
    weight: u32,
}

const fn model(provider: &'static str, name: &'static str, endpoint: &'static str, speed: (i64, i64)) -> Model {
    Model { provider, name, endpoint, first_token_us: speed.0, token_us: speed.1 }
}

const CHAT_MODELS: [Model; 7] = [
    model("openai", "gpt-5-mini", "/v1/responses", (900_000, 9_000)),
    model("openai", "gpt-4.1-mini", "/v1/chat/completions", (450_000, 11_000)),
    model("anthropic", "claude-sonnet-5", "/v1/messages", (1_100_000, 14_000)),
    model("anthropic", "claude-haiku-4-5", "/v1/messages", (500_000, 7_000)),
    model("gcp.gemini", "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash", (400_000, 5_500)),
    model("mistral_ai", "mistral-small-2603", "/v1/chat/completions", (350_000, 8_000)),
    model("openrouter", "example-lab/unlisted-13b", "/api/v1/chat/completions", (800_000, 25_000)),
];
const EMBEDDING_MODEL: Model = model("openai", "text-embedding-3-small", "/v1/embeddings", (60_000, 0));

const fn step(agent: (&'static str, &'static str), action_id: &'static str, operation_type: &'static str) -> Step {
    Step { agent_id: agent.0, agent_name: agent.1, action_id, operation_type }
}

const PLANNER: (&str, &str) = ("planner", "Planner");
const WORKER: (&str, &str) = ("worker", "Worker");
const REVIEWER: (&str, &str) = ("reviewer", "Reviewer");
const STEPS: [Step; 6] = [
    step(PLANNER, "plan", "chat"),
    step(PLANNER, "find_similar", "embeddings"),
    step(WORKER, "look_up", "execute_tool"),
    step(WORKER, "answer", "chat"),
    step(WORKER, "write", "chat"),
    step(REVIEWER, "review", "chat"),
];

const fn crew(workspace: &'static str, project: (&'static str, &'static str, &'static str), weight: u32) -> Crew {
    Crew { workspace, project: project.0, team: project.1, service: project.2, weight }
}

const SUPPORT: (&str, &str, &str) = ("support-desk", "customer-care", "support-api");
const CODE: (&str, &str, &str) = ("code-assistant", "developer-tools", "editor-plugin");
const RESEARCH: (&str, &str, &str) = ("market-research", "insights", "nightly-reports");
const CREWS: [Crew; 12] = [
    crew("acme", SUPPORT, 40),
    crew("acme", CODE, 25),
    crew("acme", RESEARCH, 6),
    crew("globex", SUPPORT, 20),
    crew("globex", CODE, 10),
    crew("globex", RESEARCH, 4),
    crew("initech", SUPPORT, 8),
    crew("initech", CODE, 5),
    crew("initech", RESEARCH, 2),
    crew("umbrella", SUPPORT, 3),
    crew("umbrella", CODE, 2),
    crew("umbrella", RESEARCH, 1),
];

/// One session between two calls.
struct Session {
    crew: &'static Crew,
    environment: &'static str,
    name: String,
    user_id: String,
    trace_id: String,
    root_span: String,
    n_left: u32,
}

/// Sessions of a fleet.
pub(crate) struct Fleet {
    rng: StdRng,
    sessions: Vec<Session>,
}

impl Fleet {
    /// A fleet whose operations follow from `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let sessions = (0..SESSIONS).map(|_| Session::begin(&mut rng)).collect();
        Self { rng, sessions }
    }

    /// The next operation; it starts at `at`.
    pub(crate) fn operation(&mut self, at: UtcMicros) -> Operation {
        let rng = &mut self.rng;
        let session = &mut self.sessions[rng.random_range(0..SESSIONS)];
        if session.n_left == 0 {
            *session = Session::begin(rng);
        }
        session.n_left -= 1;
        let step = STEPS.choose(rng).expect("there are steps");
        let mut operation = session.operation(step, at, rng);
        match step.operation_type {
            "execute_tool" => operation.latency_us = Some(around(120_000, rng)),
            "embeddings" => call_model(&mut operation, &EMBEDDING_MODEL, rng),
            _ => {
                // The first models take most calls, as in real fleets.
                let most = rng.random_range(1..=CHAT_MODELS.len());
                let model = CHAT_MODELS[..most].choose(rng).expect("at least one");
                call_model(&mut operation, model, rng);
                answer(&mut operation, model, rng);
            }
        }
        operation
    }
}

impl Session {
    fn begin(rng: &mut StdRng) -> Self {
        let crew = CREWS.choose_weighted(rng, |crew| crew.weight).expect("the weights are positive");
        Self {
            crew,
            environment: if rng.random_ratio(1, 6) { "staging" } else { "production" },
            name: format!("session-{:016x}", rng.random::<u64>()),
            user_id: format!("user-{}", rng.random_range(1..=5_000)),
            trace_id: format!("{:032x}", rng.random::<u128>().max(1)),
            root_span: span_id(rng),
            n_left: rng.random_range(CALLS_OF_SESSION),
        }
    }

    fn operation(&self, step: &Step, at: UtcMicros, rng: &mut StdRng) -> Operation {
        let text = |text: &str| Some(text.to_owned());
        Operation {
            operation_id: OperationId::mint(at.to_millis(), rng.random()),
            started_at: at,
            workspace: self.crew.workspace.to_owned(),
            project: text(self.crew.project),
            team: text(self.crew.team),
            service: text(self.crew.service),
            environment: text(self.environment),
            session_id: text(&self.name),
            user_id: text(&self.user_id),
            trace_id: text(&self.trace_id),
            span_id: Some(span_id(rng)),
            parent_span_id: text(&self.root_span),
            agent_id: text(step.agent_id),
            agent_name: text(step.agent_name),
            action_id: text(step.action_id),
            operation_type: step.operation_type.to_owned(),
            tags: BTreeMap::from([("release".to_owned(), "2026.11.3".to_owned())]),
            ..Operation::default()
        }
    }
}

fn call_model(operation: &mut Operation, model: &Model, rng: &mut StdRng) {
    let input_tokens = tokens::draw_input(rng);
    operation.provider = Some(model.provider.to_owned());
    operation.model = Some(model.name.to_owned());
    operation.response_model = Some(model.name.to_owned());
    operation.endpoint = Some(model.endpoint.to_owned());
    operation.latency_us = Some(around(model.first_token_us, rng));
    if rng.random_ratio(3, 100) {
        operation.success = false;
        operation.error_type = Some("rate_limit_exceeded".to_owned());
        operation.http_status = Some(429);
        return;
    }
    operation.http_status = Some(200);
    operation.response_id = Some(format!("resp_{}", random_letters(24, rng)));
    operation.input_tokens = Some(input_tokens);
}

fn answer(operation: &mut Operation, model: &Model, rng: &mut StdRng) {
    operation.stream = Some(rng.random_ratio(1, 2));
    operation.temperature = Some(0.2);
    operation.max_tokens = Some(2_048);
    let Some(input_tokens) = operation.input_tokens else { return };
    let output_tokens = tokens::draw_output(rng);
    let first_token_us = operation.latency_us.unwrap_or_default();
    let generation_us = output_tokens * model.token_us;
    operation.service_tier = Some("default".to_owned());
    operation.output_tokens = Some(output_tokens);
    operation.cache_read_tokens = if input_tokens > 1_024 { input_tokens / 256 * 128 } else { 0 };
    operation.reasoning_tokens = output_tokens / 4;
    operation.latency_us = Some(first_token_us + generation_us);
    operation.finish_reasons = vec!["stop".to_owned()];
    if operation.stream == Some(true) {
        operation.ttft_us = Some(first_token_us);
        operation.generation_us = Some(generation_us);
    }
}

/// A duration around a usual one, mostly near it and sometimes several times as long.
fn around(usual_us: i64, rng: &mut StdRng) -> i64 {
    let tail = rng.random_range(0..=1_000_i64);
    usual_us * (700 + rng.random_range(0..=600) + tail * tail * tail / 300_000) / 1_000
}

fn span_id(rng: &mut StdRng) -> String {
    format!("{:016x}", rng.random::<u64>().max(1))
}

fn random_letters(n_letters: usize, rng: &mut StdRng) -> String {
    (0..n_letters).map(|_| char::from(*LETTERS.choose(rng).expect("there are letters"))).collect()
}

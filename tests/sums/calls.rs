//! Random operations of all kinds. Everything about one follows from its number and the end of the span of time.

use opstream_schemas::window::Level;
use opstream_schemas::{NanoUsd, Operation, OperationId, UtcMicros, UtcMillis};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};

/// Operations begin within so many days before the end.
const DAYS: i64 = 3;
const DAY_MILLIS: i64 = 86_400_000;
const MINUTE_MILLIS: i64 = 60_000;
/// Most begin within one of so many minutes: an operation has company in its windows.
const BUSY_MINUTES: i64 = 60;
/// Clocks of applications are ahead by up to so much.
const EARLIEST_MILLIS: i64 = 5 * MINUTE_MILLIS;
/// This workspace has one busy hour in which every operation has an agent of its own: more than an hour keeps apart.
const CROWDED: &str = "crowd";

/// Workspaces and how busy they are.
const WORKSPACES: [(&str, u32); 6] =
    [("acme", 40), ("globex", 25), ("initech", 12), ("umbrella", 5), ("hooli", 2), (CROWDED, 16)];

/// Models that the catalogue knows, of most of its providers and with most of what a price can depend on.
const KNOWN: [(&str, &str); 16] = [
    ("openai", "gpt-6.1-sol"),
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-4.1-mini"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-4o"),
    ("openai", "o3"),
    ("openai", "text-embedding-3-small"),
    ("anthropic", "claude-sonnet-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("anthropic", "claude-opus-5-5"),
    ("gcp.gemini", "gemini-2.5-flash"),
    ("gcp.gemini", "gemini-2.5-pro"),
    ("deepseek", "deepseek-chat"),
    ("mistral_ai", "mistral-small-2603"),
    ("x_ai", "grok-4"),
    ("groq", "llama-3.3-70b-versatile"),
];
/// And models that it does not know.
const UNKNOWN: [(&str, &str); 3] = [("house", "unlisted-13b"), ("house", "never-priced"), ("openai", "gpt-404")];

/// Projects and their teams.
const PROJECTS: [(Option<&str>, Option<&str>); 4] = [
    (Some("support-desk"), Some("care")),
    (Some("code-assistant"), Some("tools")),
    (Some("research"), None),
    (None, Some("tools")),
];
/// Agents and what they do.
const AGENTS: [(Option<&str>, Option<&str>); 4] = [
    (Some("planner"), Some("plan")),
    (Some("worker"), Some("answer")),
    (Some("worker"), Some("look_up")),
    (None, None),
];

/// The operation of this number, of those that begin in the days before `end`.
pub(crate) fn operation(number: u64, end: UtcMillis) -> Operation {
    let rng = &mut StdRng::seed_from_u64(number);
    let workspace = WORKSPACES.choose_weighted(rng, |(_, weight)| *weight).expect("the weights are positive").0;
    let at = begins(workspace, end, rng);
    let text = |text: Option<&str>| text.map(str::to_owned);
    let (project, team) = *PROJECTS.choose(rng).expect("there are some");
    let (agent, action) = *AGENTS.choose(rng).expect("there are some");
    let mut operation = Operation {
        operation_id: id(number, at, rng),
        workspace: workspace.to_owned(),
        project: text(project),
        team: text(team),
        environment: text(if rng.random_ratio(1, 5) { Some("staging") } else { Some("production") }),
        agent_id: text(agent),
        action_id: text(action),
        ..Operation::starting(kind(rng), UtcMicros::from_micros(at.millis() * 1000 + rng.random_range(0..1000)))
    };
    if workspace == CROWDED {
        operation.agent_id = Some(format!("agent-{number}"));
    }
    choose_model(&mut operation, rng);
    count_tokens(&mut operation, rng);
    set_terms(&mut operation, rng);
    operation.latency_us = rng.random_ratio(9, 10).then(|| rng.random_range(0..60_000_000));
    operation.ttft_us = rng.random_ratio(1, 2).then(|| rng.random_range(0..2_000_000));
    if rng.random_ratio(1, 4) {
        operation.reported_cost_usd = Some(NanoUsd::from_nanos(rng.random_range(0..2_000_000_000)));
    }
    if rng.random_ratio(1, 20) {
        fail(&mut operation, rng);
    }
    operation
}

fn begins(workspace: &str, end: UtcMillis, rng: &mut StdRng) -> UtcMillis {
    if workspace == CROWDED {
        let hour = Level::Hour.window_start(end.plus_millis(-2 * DAY_MILLIS));
        return hour.plus_millis(rng.random_range(0..20) * MINUTE_MILLIS);
    }
    let before_end = match rng.random_range(0..100) {
        0 => -rng.random_range(0..EARLIEST_MILLIS),
        1 => rng.random_range(0..DAYS * DAY_MILLIS),
        _ => {
            let minute = rng.random_range(0..BUSY_MINUTES) * (DAYS * DAY_MILLIS / BUSY_MINUTES) / MINUTE_MILLIS;
            minute * MINUTE_MILLIS + rng.random_range(0..MINUTE_MILLIS)
        }
    };
    end.plus_millis(-before_end)
}

fn id(number: u64, at: UtcMillis, rng: &mut StdRng) -> OperationId {
    let mut random: [u8; 10] = rng.random();
    random[2..].copy_from_slice(&number.to_be_bytes());
    OperationId::mint(at, random)
}

fn kind(rng: &mut StdRng) -> &'static str {
    match rng.random_range(0..20) {
        0 | 1 => "execute_tool",
        2 => "invoke_agent",
        3 => "text_completion",
        4 => "retrieval",
        5 | 6 => "embeddings",
        _ => "chat",
    }
}

fn choose_model(operation: &mut Operation, rng: &mut StdRng) {
    let models: &[(&str, &str)] = if rng.random_ratio(1, 8) { &UNKNOWN } else { &KNOWN };
    let (provider, model) = models.choose(rng).expect("there are some");
    if rng.random_ratio(49, 50) {
        operation.provider = Some((*provider).to_owned());
        operation.model = rng.random_ratio(49, 50).then(|| (*model).to_owned());
    }
}

fn count_tokens(operation: &mut Operation, rng: &mut StdRng) {
    // Some prompts are long enough for another tier.
    let most = if rng.random_ratio(1, 25) { 500_000 } else { 20_000 };
    let input = rng.random_range(0..most);
    let output = rng.random_range(0..4000);
    operation.input_tokens = rng.random_ratio(29, 30).then_some(input);
    operation.output_tokens = rng.random_ratio(29, 30).then_some(output);
    let mut rest = input;
    let mut part = |most_of_rest: i64, chance: u32, rng: &mut StdRng| {
        let part = if rng.random_ratio(chance, 10) { rng.random_range(0..=rest / most_of_rest) } else { 0 };
        rest -= part;
        part
    };
    operation.cache_read_tokens = part(1, 4, rng);
    operation.cache_write_tokens = part(2, 2, rng);
    operation.cache_write_1h_tokens = part(4, 1, rng);
    operation.input_audio_tokens = part(8, 1, rng);
    operation.input_image_tokens = part(8, 1, rng);
    operation.reasoning_tokens = if rng.random_ratio(1, 3) { rng.random_range(0..=output) } else { 0 };
    if rng.random_ratio(1, 20) {
        operation.output_audio_tokens = rng.random_range(0..=output - operation.reasoning_tokens);
        operation.output_image_tokens =
            rng.random_range(0..=output - operation.reasoning_tokens - operation.output_audio_tokens);
    }
    if rng.random_ratio(1, 100) {
        // More was cached than there was, or so the record says.
        operation.cache_read_tokens = input + 1;
    }
}

fn set_terms(operation: &mut Operation, rng: &mut StdRng) {
    let text = |text: &str| Some(text.to_owned());
    match rng.random_range(0..20) {
        0 => operation.processing = text("batch"),
        1 => operation.service_tier = text("flex"),
        2 => operation.service_tier = text("priority"),
        3 => operation.service_tier = text("tier-nobody-knows"),
        4 => operation.metadata = text(r#"{"speed": "fast"}"#),
        5 => operation.metadata = text(r#"{"region": "us"}"#),
        _ => {}
    }
    if rng.random_ratio(1, 15) {
        operation.web_searches = rng.random_range(0..20);
    }
    if rng.random_ratio(1, 30) {
        operation.billable_units = Some(format!(r#"{{"file_search": {}}}"#, rng.random_range(0..5)));
    }
}

fn fail(operation: &mut Operation, rng: &mut StdRng) {
    operation.success = false;
    operation.error_type = Some("RateLimitError".to_owned());
    if rng.random_ratio(1, 2) {
        operation.http_status = Some(429);
        operation.output_tokens = None;
    }
    if rng.random_ratio(1, 2) {
        operation.input_tokens = None;
        operation.cache_read_tokens = 0;
        operation.cache_write_tokens = 0;
        operation.cache_write_1h_tokens = 0;
    }
}

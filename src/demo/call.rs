//! One call of a session: its tokens, how long it takes, and whether it fails.
//!
//! Says nothing of when it happens: the crowd does. An answer's duration follows from its tokens and the model's speed.

use opstream_schemas::{NanoUsd, Operation};
use rand::Rng;
use rand::seq::IndexedRandom as _;

use super::fleet::{Cache, Call, Model, Step};
use super::{speech, tokens};

/// Prompts below this are not cached, as at most providers.
const LEAST_CACHED_PROMPT: i64 = 1024;
/// Caches count in blocks.
const CACHE_BLOCK: i64 = 128;
/// Rates at which the unlisted model's provider charges, nano-dollars per token.
const REPORTED_RATES: (i64, i64) = (90, 350);

/// A way to fail.
struct Failure {
    error_type: &'static str,
    message: &'static str,
    http_status: Option<i32>,
    is_retried: bool,
    weight: u32,
}

/// How calls of models fail. A call that was refused at once has no tokens.
const FAILURES: [Failure; 4] = [
    Failure {
        error_type: "rate_limit_exceeded",
        message: "demo: too many requests",
        http_status: Some(429),
        is_retried: true,
        weight: 5,
    },
    Failure {
        error_type: "overloaded_error",
        message: "demo: the provider is overloaded",
        http_status: Some(529),
        is_retried: true,
        weight: 2,
    },
    Failure {
        error_type: "timeout",
        message: "demo: no answer within 20 s",
        http_status: None,
        is_retried: true,
        weight: 1,
    },
    Failure {
        error_type: "context_length_exceeded",
        message: "demo: the prompt is longer than the model's context",
        http_status: Some(400),
        is_retried: false,
        weight: 1,
    },
];
/// How many calls of models fail, in thousandths.
const FAILING_CALLS: u32 = 45;
/// How many tools fail, in thousandths.
const FAILING_TOOLS: u32 = 25;
/// Patience of the demo's clients, microseconds.
const TIMEOUT_US: i64 = 20_000_000;

/// Place of a call within its session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<'a> {
    /// What is called.
    pub(super) step: &'a Step,
    /// Steps before this one.
    pub(super) n_before: u32,
    /// 1 for the first attempt.
    pub(super) attempt: i32,
}

/// A call with everything but identity and time, and whether the client will try again.
pub(super) struct Played {
    /// The operation; its latency is known.
    pub(super) operation: Operation,
    /// Whether it failed in a way that passes.
    pub(super) will_retry: bool,
}

/// Plays one call.
pub(super) fn play(turn: Turn, rng: &mut impl Rng) -> Played {
    let step = turn.step;
    let base = Operation {
        agent_id: Some(step.agent_id.to_owned()),
        agent_name: Some(step.agent_name.to_owned()),
        action_id: Some(step.action_id.to_owned()),
        attempt: turn.attempt,
        ..Operation::default()
    };
    match &step.call {
        Call::Tool { usual_ms } => play_tool(base, *usual_ms, rng),
        Call::Embeddings { model } => play_model(of_model(base, "embeddings", model), model, turn, rng),
        Call::Chat { models, stream } => {
            // The usual model takes most calls; a retry may reach another one, as with gateways that fall back.
            let usual = rng.random_ratio(3, 4).then(|| models.first()).flatten();
            let model = usual.or_else(|| models.choose(rng)).expect("every chat names a model");
            let chat = Operation {
                stream: Some(*stream),
                temperature: Some(0.2),
                max_tokens: Some(2048),
                ..of_model(base, "chat", model)
            };
            play_model(chat, model, turn, rng)
        }
    }
}

fn of_model(base: Operation, operation_type: &str, model: &Model) -> Operation {
    Operation {
        operation_type: operation_type.to_owned(),
        provider: Some(model.provider.to_owned()),
        model: Some(model.name.to_owned()),
        ..base
    }
}

fn play_tool(base: Operation, usual_ms: u32, rng: &mut impl Rng) -> Played {
    let failed = rng.random_range(0..1000) < FAILING_TOOLS;
    let operation = Operation {
        operation_type: "execute_tool".to_owned(),
        latency_us: Some(around(usual_ms, rng)),
        success: !failed,
        error_type: failed.then(|| "ToolError".to_owned()),
        error_message: failed.then(|| "demo: the tool returned an error".to_owned()),
        ..base
    };
    Played { operation, will_retry: false }
}

fn play_model(base: Operation, model: &Model, turn: Turn, rng: &mut impl Rng) -> Played {
    // A client gives up after the third attempt, so in the demo that one succeeds.
    let fails = turn.attempt < 3 && rng.random_range(0..1000) < FAILING_CALLS;
    if fails {
        let failure = FAILURES.choose_weighted(rng, |failure| failure.weight).expect("the weights are positive");
        return Played { operation: failed(base, model, failure, rng), will_retry: failure.is_retried };
    }
    let first_token_us = around(model.first_token_ms, rng);
    let input_tokens = tokens::draw_input(rng);
    let mut operation = Operation { input_tokens: Some(input_tokens), http_status: Some(200), ..base };
    if operation.operation_type == "embeddings" {
        operation.latency_us = Some(first_token_us);
        speech::add_prompt(&mut operation, turn.n_before);
        return Played { operation, will_retry: false };
    }
    let output_tokens = tokens::draw_output(rng);
    let generation_us = output_tokens * 1_000_000 / i64::from(model.tokens_per_second);
    operation.output_tokens = Some(output_tokens);
    operation.latency_us = Some(first_token_us + generation_us);
    if operation.stream == Some(true) {
        operation.ttft_us = Some(first_token_us);
        operation.generation_us = Some(generation_us);
    }
    if model.reasons {
        operation.reasoning_tokens = output_tokens * rng.random_range(0..=60) / 100;
    }
    if model.reports_cost {
        let (input_rate, output_rate) = REPORTED_RATES;
        operation.reported_cost_usd =
            Some(NanoUsd::from_nanos(input_tokens * input_rate + output_tokens * output_rate));
    }
    operation.finish_reasons = vec!["stop".to_owned()];
    add_cache(&mut operation, model.cache, turn.n_before, rng);
    speech::add_prompt(&mut operation, turn.n_before);
    speech::add_answer(&mut operation, turn.n_before);
    Played { operation, will_retry: false }
}

fn failed(base: Operation, model: &Model, failure: &Failure, rng: &mut impl Rng) -> Operation {
    let timed_out = failure.http_status.is_none();
    Operation {
        latency_us: Some(if timed_out { TIMEOUT_US } else { around(model.first_token_ms / 3, rng) }),
        success: false,
        error_type: Some(failure.error_type.to_owned()),
        error_message: Some(failure.message.to_owned()),
        http_status: failure.http_status,
        ..base
    }
}

/// The prompt's beginning is the same in every call of a session, so later calls find it in the cache.
fn add_cache(operation: &mut Operation, cache: Cache, n_before: u32, rng: &mut impl Rng) {
    let input_tokens = operation.input_tokens.unwrap_or(0);
    if cache == Cache::None || input_tokens < LEAST_CACHED_PROMPT {
        return;
    }
    let shared = input_tokens * rng.random_range(30..=90) / 100 / CACHE_BLOCK * CACHE_BLOCK;
    if n_before > 0 {
        operation.cache_read_tokens = shared;
    } else if cache == Cache::ReadsAndWrites {
        operation.cache_write_tokens = shared;
    }
}

/// A duration around a usual one, microseconds: mostly near it, sometimes three times as long.
fn around(usual_ms: u32, rng: &mut impl Rng) -> i64 {
    let spread = rng.random_range(600..=1000) + rng.random_range(0_i64..=1000) * rng.random_range(0..=1000) / 1000;
    let slow = if rng.random_ratio(1, 40) { 3 } else { 1 };
    i64::from(usual_ms) * spread * slow
}

#[cfg(test)]
mod tests {
    use opstream_schemas::validate::{AcceptedTimes, check_operation};
    use opstream_schemas::{OperationId, UtcMillis};
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;
    use crate::demo::fleet::CREWS;

    #[test]
    fn every_call_is_an_operation_that_the_pipeline_accepts() {
        let mut rng = StdRng::seed_from_u64(1);
        let now = UtcMillis::from_millis(1_790_000_000_000);
        let accepted = AcceptedTimes::at(now, UtcMillis::from_millis(0));
        let (mut n_failed, mut n_cached, mut n_streamed) = (0, 0, 0);
        for n_before in 0..2000 {
            for step in CREWS.iter().flat_map(|crew| crew.steps) {
                let mut operation = play(Turn { step, n_before, attempt: 1 }, &mut rng).operation;
                operation.operation_id = OperationId::generate(now);
                check_operation(&operation, accepted).unwrap();
                assert!(operation.latency_us.is_some_and(|latency| latency > 0));
                n_failed += u32::from(!operation.success);
                n_cached += u32::from(operation.cache_read_tokens > 0);
                n_streamed += u32::from(operation.ttft_us.is_some());
            }
        }
        assert!(n_failed > 200 && n_cached > 1000 && n_streamed > 1000, "{n_failed} {n_cached} {n_streamed}");
    }

    #[test]
    fn the_third_attempt_of_a_call_succeeds() {
        let mut rng = StdRng::seed_from_u64(2);
        let step = &CREWS[0].steps[0];
        let third = |rng: &mut StdRng| play(Turn { step, n_before: 0, attempt: 3 }, rng);
        assert!((0..500).all(|_| third(&mut rng).operation.success));
    }
}

//! Records an agent, its calls and its tools, some of them in tasks of their own, as one tree of spans. Wants no broker.
//!
//! Run with `cargo run -p opstream-producer --example agent -- operations.jsonl`: the file that the operations are appended to.

use std::io::{self, Write};
use std::time::Duration;

use opstream_producer::{Context, Producer, Sink};
use tokio::task::JoinSet;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args().nth(1).unwrap_or_else(|| "operations.jsonl".to_owned());
    let producer = Producer::start(Sink::JsonLines { file: file.into(), producer_id: None })?;

    // From the request of a user: the trace that it is part of, if it has one.
    let request = Context::new()
        .session_id("session-7")
        .traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
        .tag("release", "2026.11.3");
    request.scope(run_agent(&producer)).await;
    writeln!(io::stdout(), "{:?}", producer.close(Duration::from_secs(5)).await)?;
    Ok(())
}

async fn run_agent(producer: &Producer) {
    let agent = Context::new().agent_id("agent-1").agent_name("weather");
    let mut run = agent.sync_scope(|| producer.begin("invoke_agent"));
    // What is begun in this scope is a child of the agent's span, and of its session.
    run.context()
        .scope(async {
            producer.chat("openai", "gpt-5-mini").success();
            let mut tools = JoinSet::new();
            for city in ["Berlin", "Lisbon"] {
                // A task begins without a context: it takes the current one along.
                tools.spawn(Context::current().scope(look_up(producer.clone(), city)));
            }
            tools.join_all().await;
            producer.chat("openai", "gpt-5-mini").success();
        })
        .await;
    run.success();
}

async fn look_up(producer: Producer, city: &str) {
    let mut tool = producer.tool("get_weather");
    tool.tag("city", city);
    tokio::time::sleep(Duration::from_millis(10)).await;
    tool.success();
}

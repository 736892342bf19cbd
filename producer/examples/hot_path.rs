//! What `record()` costs the calling thread, what a guard adds, and what the rejected designs would cost.
//!
//! Run with `cargo run -p opstream-producer --example hot_path [CALLS]`. Each call is timed on its own, so
//! every figure contains one reading of the clock, which is printed first. Operations have the ~400 bytes of the budget.

use std::hint::black_box;
use std::io::{self, Write};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use opstream_producer::{Capture, ContentPolicy, Context, Producer, ProducerConfig, Sink};
use opstream_schemas::avro::encode_operation;
use opstream_schemas::{Operation, UtcMicros};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, ThreadedProducer};
use serde_json::{Value, json};

const TOPIC: &str = "llm.operations";
/// Operations prepared at a time, so that making them is not measured.
const BATCH: usize = 1_000;
/// Where the pacing holds the queue, so that the measured calls are taken and not dropped.
const QUEUED_AT_MOST: u64 = 50_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let calls = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse::<usize>())?;
    let mut bytes = Vec::new();
    encode_operation(&sample(), &mut bytes);
    writeln!(io::stdout(), "{calls} calls each, operations of {} bytes, nanoseconds\n", bytes.len())?;
    print("reading the clock", &measure(calls, || (), |()| ()))?;

    let nowhere = Producer::start(Sink::Kafka(ProducerConfig::new("127.0.0.1:1")))?;
    print("record(), no broker", &measure(calls, sample, |operation| nowhere.record(operation)))?;
    writeln!(io::stdout(), "    {:?}", nowhere.close(Duration::ZERO).await)?;

    let cluster = MockCluster::new(1)?;
    cluster.create_topic(TOPIC, 4, 1)?;
    let bootstrap = cluster.bootstrap_servers();
    let producer = Producer::start(Sink::Kafka(ProducerConfig::new(&bootstrap)))?;
    let paced = || {
        while producer.counters().queued > QUEUED_AT_MOST {
            thread::yield_now();
        }
        sample()
    };
    print("record(), mock cluster", &measure(calls, paced, |operation| producer.record(operation)))?;
    writeln!(io::stdout(), "    {:?}\n", producer.close(Duration::from_mins(1)).await)?;

    guards(calls / 10)?;
    alternatives(calls, &bootstrap)?;
    Ok(())
}

/// A call from its beginning to its end, without content and with 4 KiB of it under each policy.
fn guards(calls: usize) -> Result<(), Box<dyn std::error::Error>> {
    let sentence = "The quick brown fox jumps over the lazy dog, 0123456789 times; ";
    let messages = json!([{"role": "user", "content": sentence.repeat(4096 / sentence.len())}]);
    let start = |policy| Producer::start_with(Sink::Kafka(ProducerConfig::new("127.0.0.1:1")), policy);
    let context = Context::new().session_id("session-7f3a9c21").user_id("user-42").tag("release", "2026.11.3");
    let call = |producer: &Producer, messages: Option<&Value>| {
        let mut call = producer.chat("openai", "gpt-5-mini");
        if let Some(messages) = messages {
            call.request(messages);
        }
        call.first_token().input_tokens(2_048).output_tokens(227);
        call.success();
    };
    context.sync_scope(|| {
        let redacted = ContentPolicy::redacted;
        let cut = ContentPolicy { capture: Capture::Truncated(1024), redaction: None };
        for (name, policy, messages) in [
            ("guard, no content", ContentPolicy::as_given(), None),
            ("guard, no content, redacted", redacted(), None),
            ("guard, content", ContentPolicy::as_given(), Some(&messages)),
            ("guard, content off", ContentPolicy::without_content(), Some(&messages)),
            ("guard, content cut", cut, Some(&messages)),
            ("guard, content redacted", redacted(), Some(&messages)),
        ] {
            let producer = start(policy)?;
            print(name, &measure(calls, || (), |()| call(&producer, messages)))?;
        }
        writeln!(io::stdout())?;
        Ok(())
    })
}

/// The parts of the chosen design and the designs that were rejected.
fn alternatives(calls: usize, bootstrap: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut buffer = Vec::new();
    let encode = |operation: Operation| {
        buffer.clear();
        encode_operation(&operation, &mut buffer);
        black_box(&buffer);
    };
    print("encoding alone", &measure(calls, sample, encode))?;

    let (into_channel, from_channel) = sync_channel::<Operation>(10_000);
    let reader = thread::spawn(move || from_channel.iter().count());
    print("operation into a channel", &measure(calls, sample, |operation| drop(into_channel.try_send(operation))))?;
    drop(into_channel);
    reader.join().map_err(|_| "the reader of the channel panicked")?;

    let list = Mutex::new(Vec::<Operation>::new());
    let ended = AtomicBool::new(false);
    let nanos = thread::scope(|scope| {
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(5));
                drop(mem::take(&mut *list.lock().unwrap_or_else(PoisonError::into_inner)));
            }
        });
        let push = |operation| list.lock().unwrap_or_else(PoisonError::into_inner).push(operation);
        let nanos = measure(calls, sample, push);
        ended.store(true, Ordering::Relaxed);
        nanos
    });
    print("operation into a list", &nanos)?;

    let client: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", bootstrap)
        .set("partitioner", "murmur2_random")
        .set("queue.buffering.max.messages", "100000")
        .create()?;
    let mut buffer = Vec::new();
    let send = |operation: Operation| {
        buffer.clear();
        encode_operation(&operation, &mut buffer);
        let key = operation.session_id.as_deref().unwrap_or_default();
        client.send(BaseRecord::to(TOPIC).key(key).payload(&buffer)).ok();
    };
    print("encoding and librdkafka", &measure(calls, sample, send))?;
    Ok(())
}

/// Times `act` on what `prepare` made, in batches.
fn measure<T>(calls: usize, mut prepare: impl FnMut() -> T, mut act: impl FnMut(T)) -> Vec<u64> {
    let mut nanos = Vec::with_capacity(calls);
    while nanos.len() < calls {
        let batch: Vec<T> = (0..BATCH.min(calls - nanos.len())).map(|_| prepare()).collect();
        for item in batch {
            let start = Instant::now();
            act(item);
            nanos.push(u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
    }
    nanos.sort_unstable();
    nanos
}

fn print(name: &str, sorted: &[u64]) -> io::Result<()> {
    let at = |per_mille: usize| sorted.get(sorted.len() * per_mille / 1000).copied().unwrap_or_default();
    let worst = sorted.last().copied().unwrap_or_default();
    let mean = sorted.iter().sum::<u64>() / u64::try_from(sorted.len().max(1)).unwrap_or(1);
    let (p50, p99, p999) = (at(500), at(990), at(999));
    writeln!(io::stdout(), "{name:28} p50 {p50:6}  p99 {p99:7}  p99.9 {p999:8}  worst {worst:10}  mean {mean:7}")
}

fn sample() -> Operation {
    let text = |value: &str| Some(value.to_owned());
    let mut operation = Operation::starting("chat", UtcMicros::from_micros(1_790_000_000_123_456));
    "acme-production".clone_into(&mut operation.workspace);
    operation.call_id = text("01936f7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f");
    operation.trace_id = text("4bf92f3577b34da6a3ce929d0e0e4736");
    operation.span_id = text("00f067aa0ba902b7");
    operation.response_id = text("chatcmpl-9f2c4b7de1a84c0db4a6");
    operation.project = text("support-assistant");
    operation.team = text("customer-care");
    operation.environment = text("production");
    operation.service = text("assistant-backend");
    operation.session_id = text("session-7f3a9c21");
    operation.agent_name = text("triage");
    operation.provider = text("openai");
    operation.model = text("gpt-5-mini");
    operation.response_model = text("gpt-5-mini-2026-08-07");
    operation.stream = Some(true);
    operation.latency_us = Some(1_834_221);
    operation.ttft_us = Some(412_903);
    operation.http_status = Some(200);
    operation.finish_reasons = vec!["stop".to_owned()];
    operation.input_tokens = Some(2_048);
    operation.cache_read_tokens = 1_024;
    operation.output_tokens = Some(227);
    operation.tags.insert("release".to_owned(), "2026.11.3".to_owned());
    operation
}

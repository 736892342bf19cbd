//! Live operations through the api, from the Kafka client's mock cluster.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::HeaderValue;
use futures_util::StreamExt as _;
use opstream_producer::ProducerConfig;
use opstream_schemas::avro::{encode_operation, encode_window};
use opstream_schemas::offsets::Fence;
use opstream_schemas::sketch::Sketch;
use opstream_schemas::window::{DimensionSet, Dimensions, Level, Window, WindowSums};
use opstream_schemas::{Operation, UtcMicros, UtcMillis};
use rdkafka::ClientConfig;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, FutureRecord};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::*;
use crate::fixture::{Fixture, Setup};
use crate::query::parameters_of;

const PATIENCE: Duration = Duration::from_secs(30);

struct Topic {
    cluster: MockCluster<'static, DefaultProducerContext>,
    producer: FutureProducer,
}

impl Topic {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("llm.operations", 2, 1).unwrap();
        cluster.create_topic("llm.windows", 1, 1).unwrap();
        let producer = ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
        Self { cluster, producer }
    }

    async fn api(&self) -> Fixture {
        let sink = Sink::Kafka(ProducerConfig::new(&self.cluster.bootstrap_servers()));
        Fixture::with(Setup { sink: Some(sink), ..Setup::default() }).await
    }

    async fn send(&self, topic: &str, partition: i32, value: &[u8]) {
        let record = FutureRecord::<[u8], [u8]>::to(topic).partition(partition).payload(value);
        self.producer.send(record, PATIENCE).await.unwrap();
    }

    async fn operation(&self, model: &str, success: bool) -> Operation {
        let started = Operation::starting("chat", UtcMicros::now());
        let secret = Some("the secret prompt".to_owned());
        let operation = Operation {
            model: Some(model.to_owned()),
            input_tokens: Some(3),
            output_tokens: Some(2),
            success,
            input_messages: secret,
            ..started
        };
        let mut value = Vec::new();
        encode_operation(&operation, &mut value);
        self.send("llm.operations", i32::from(success), &value).await;
        operation
    }
}

fn any_window() -> Window {
    let start = UtcMillis::from_millis(1_790_000_040_000);
    let sketch = Sketch::default().to_bytes();
    Window {
        dimension_set: DimensionSet::Workspace,
        level: Level::Minute,
        window_start: start,
        dimensions: Dimensions { workspace: "w".to_owned(), ..Dimensions::default() },
        generation: 1,
        fence: Fence(1),
        revision: 1,
        sums: WindowSums::default(),
        latency_sketch: sketch.clone(),
        ttft_sketch: sketch,
    }
}

/// A stream as its reader sees it.
struct Events {
    body: BodyDataStream,
    text: String,
}

impl Events {
    async fn open(api: &Fixture, query: &str) -> Self {
        let mut events = Self::begin(api, query).await;
        // From here on nothing is missed.
        events.next("rates").await;
        events
    }

    async fn begin(api: &Fixture, query: &str) -> Self {
        let response = api.open(&format!("/v1/live{query}")).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &HeaderValue::from_static("text/event-stream"))
        );
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next event of this name; others are passed over.
    async fn next(&mut self, name: &str) -> Value {
        loop {
            let (event, data) = self.any(name).await;
            if event == name {
                return data;
            }
        }
    }

    /// Name and data of the next event.
    async fn any(&mut self, awaited: &str) -> (String, Value) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                let found = event.strip_prefix("event: ").and_then(|event| event.split_once("\ndata: "));
                let found = found.map(|(name, data)| (name.to_owned(), serde_json::from_str(data).unwrap()));
                self.text = rest.to_owned();
                if let Some(found) = found {
                    return found;
                }
            }
            let piece = timeout_at(deadline, self.body.next()).await.unwrap_or_else(|_| panic!("no {awaited} came"));
            self.text.push_str(std::str::from_utf8(&piece.expect("the stream goes on").unwrap()).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_is_told_what_it_asked_for_without_content() {
    let topic = Topic::new();
    let api = topic.api().await;
    let mut all = Events::open(&api, "").await;
    let mut failures = Events::open(&api, "?outcome=failure&model=b").await;
    topic.send("llm.operations", 0, b"no operation").await;
    let first = topic.operation("a", true).await;
    let second = topic.operation("b", false).await;
    let told = failures.next("operation").await;
    assert_eq!((&told["operation_id"], &told["model"]), (&json!(second.operation_id.to_string()), &json!("b")));
    assert!(!told.to_string().contains("secret"), "{told}");
    let mut ids = [all.next("operation").await, all.next("operation").await].map(|told| told["operation_id"].clone());
    ids.sort_by_key(ToString::to_string);
    let mut expected = [first, second].map(|operation| json!(operation.operation_id.to_string()));
    expected.sort_by_key(ToString::to_string);
    assert_eq!(ids, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_exact_where_operations_are_skipped() {
    let topic = Topic::new();
    let api = topic.api().await;
    let mut events = Events::open(&api, "?sample=1").await;
    for _ in 0..20 {
        topic.operation("a", true).await;
    }
    let (mut operations, mut input, mut told, mut skipped) = (0, 0, 0, 0);
    while operations < 20 {
        let (name, data) = events.any("rates").await;
        match name.as_str() {
            "operation" => told += 1,
            "skipped" => skipped += data["operations"].as_i64().unwrap(),
            "rates" => {
                operations += data["operations"].as_i64().unwrap();
                input += data["input_tokens"].as_i64().unwrap();
            }
            other => panic!("{other}: {data}"),
        }
    }
    assert_eq!((operations, input, told + skipped), (20, 60, 20));
    assert!(told >= 1 && skipped >= 1, "{told} {skipped}");
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_windows_are_told_once_a_second() {
    let topic = Topic::new();
    let api = topic.api().await;
    let mut events = Events::open(&api, "").await;
    let window = any_window();
    let mut value = Vec::new();
    encode_window(&window, &mut value);
    topic.send("llm.windows", 0, &value).await;
    let told = events.next("windows").await;
    assert_eq!(told, json!({ "changed": 1, "latest_minute": window.window_start.to_string() }));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_server_stops_and_readers_that_leave_make_room() {
    let topic = Topic::new();
    let api = topic.api().await;
    let mut readers = Vec::new();
    for _ in 0..MOST_READERS {
        readers.push(Events::begin(&api, "").await);
    }
    let refused = api.get("/v1/live").await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (503, &json!("busy")));
    assert!(refused.headers.contains_key("retry-after"));
    readers.pop();
    readers.push(Events::begin(&api, "").await);
    api.shutdown.cancel();
    for mut reader in readers {
        let ended = async { while reader.body.next().await.is_some() {} };
        tokio::time::timeout(PATIENCE, ended).await.expect("the stream ends");
    }
}

#[tokio::test]
async fn readers_that_take_nothing_make_room_though_they_stay() {
    let hub = Hub::new(&Sink::Kafka(ProducerConfig::new("127.0.0.1:1")), None, CancellationToken::new());
    let watch = || hub.watch(LiveFilter::read(&mut parameters_of("")).unwrap(), 1);
    let stuck: Vec<Reader> = (0..MOST_READERS).map(|_| watch().unwrap()).collect();
    assert_eq!(watch().err(), Some(HubError::Full));
    for _ in 0..=crate::live::outbox::PATIENCE {
        hub.readers.keep(|watching| watching.outbox.tick(UtcMillis::from_millis(0)));
    }
    let takes = watch().unwrap();
    drop(stuck);
    assert_eq!(hub.readers.all().by_number.keys().copied().collect::<Vec<_>>(), [takes.number]);
    hub.shutdown.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_is_told() {
    let sink = Sink::Kafka(ProducerConfig::new("127.0.0.1:1"));
    let api = Fixture::with(Setup { sink: Some(sink), ..Setup::default() }).await;
    let response = api.open("/v1/live").await;
    let mut events = Events { body: Body::into_data_stream(response.into_body()), text: String::new() };
    assert!(events.next("gap").await["message"].as_str().unwrap().contains("broker does not answer"));
}

#[tokio::test]
async fn without_a_topic_there_is_nothing_to_watch() {
    let api = Fixture::new().await;
    let answer = api.get("/v1/live").await;
    assert_eq!(answer.status, 404);
    assert!(answer.text.contains("writes operations to a file"), "{}", answer.text);
}

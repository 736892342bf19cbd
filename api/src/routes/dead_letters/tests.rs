//! Dead letters through the api, with the Kafka client's mock cluster where they are sent.

use std::time::Duration;

use opstream_producer::{ProducerConfig, Sink};
use opstream_schemas::avro::encode_operation;
use opstream_schemas::{Operation, UtcMicros};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{DefaultProducerContext, FutureProducer, Producer as _};
use serde_json::{Value, json};

use super::*;
use crate::dead_letters::test_rows::{insert, letter};
use crate::fixture::{Answer, Fixture, Setup};

const PATIENCE: Duration = Duration::from_secs(30);

async fn with_letters(api: &Fixture, cluster_id: &str, letters: &[Letter]) {
    let stream =
        "insert into streams (cluster_id, topic, topic_id, first_seen_ms) values ($1, 'llm.operations', 'id', 0)";
    api.execute(stream, &[cluster_id.into()]).await;
    for letter in letters {
        insert(&api.database, letter).await;
    }
}

/// A letter whose record is sound: its schema was unknown to the ingestor of that time.
fn sound(offset: i64) -> Letter {
    let mut value = Vec::new();
    encode_operation(&Operation::starting("chat", UtcMicros::now()), &mut value);
    Letter { reason_code: "newer_schema".to_owned(), operation_id: None, value: Some(value), ..letter(offset) }
}

async fn redrive(api: &Fixture, letters: Value) -> Answer {
    api.post("/v1/dead-letters/redrive", "application/json", json!({ "letters": letters }).to_string()).await
}

struct Kafka {
    cluster: MockCluster<'static, DefaultProducerContext>,
    id: String,
}

impl Kafka {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("llm.operations", 1, 1).unwrap();
        let client: FutureProducer =
            ClientConfig::new().set("bootstrap.servers", cluster.bootstrap_servers()).create().unwrap();
        let id = tokio::task::block_in_place(|| client.client().fetch_cluster_id(PATIENCE)).unwrap();
        Self { cluster, id }
    }

    async fn api(&self) -> Fixture {
        let sink = Sink::Kafka(ProducerConfig::new(&self.cluster.bootstrap_servers()));
        Fixture::with(Setup { sink: Some(sink), ..Setup::default() }).await
    }

    fn records(&self) -> i64 {
        let mut client = ClientConfig::new();
        let client: BaseConsumer = client.set("bootstrap.servers", self.cluster.bootstrap_servers()).create().unwrap();
        tokio::task::block_in_place(|| client.fetch_watermarks("llm.operations", 0, PATIENCE)).unwrap().1
    }
}

#[tokio::test]
async fn letters_are_listed_page_by_page_and_never_with_their_records() {
    let api = Fixture::new().await;
    with_letters(&api, "c", &[letter(1), letter(2), sound(3)]).await;
    api.execute("update dead_letters set redriven_at_ms = 7 where source_offset = 2", &[]).await;
    let offsets = async |query: &str| {
        let answer = api.get(&format!("/v1/dead-letters{query}")).await;
        assert!(!answer.text.contains("secret"), "{}", answer.text);
        let answer = answer.json();
        let letters = answer["letters"].as_array().unwrap();
        (
            letters.iter().map(|letter| letter["offset"].as_i64().unwrap()).collect::<Vec<_>>(),
            answer["next_cursor"].clone(),
        )
    };
    assert_eq!(offsets("").await, (vec![3, 2, 1], Value::Null));
    assert_eq!(offsets("?redriven=false&reason_code=negative_count").await.0, [1]);
    assert_eq!(offsets("?redriven=true").await.0, [2]);
    let (first, cursor) = offsets("?limit=2").await;
    assert_eq!((first, offsets(&format!("?cursor={}", cursor.as_str().unwrap())).await.0), (vec![3, 2], vec![1]));
    let head = api.get("/v1/dead-letters?limit=1&reason_code=negative_count&redriven=false").await.json()["letters"][0]
        .clone();
    assert_eq!(
        (&head["letter_id"], &head["topic"], &head["redriven_at"]),
        (&json!("1/0/1"), &json!("llm.operations"), &json!(null))
    );
    assert_eq!(api.get("/v1/dead-letters?cursor=x").await.status, 400);
}

#[tokio::test]
async fn a_letter_is_shown_and_its_prompt_only_when_it_is_asked_for() {
    let api = Fixture::new().await;
    with_letters(&api, "c", &[letter(1)]).await;
    let shown = api.get("/v1/dead-letters/1/0/1").await;
    assert!(!shown.text.contains("secret") && !shown.text.contains(&hex::encode("secret")), "{}", shown.text);
    let shown = shown.json();
    assert_eq!((&shown["decoded"]["input_tokens"], &shown["withheld"]), (&json!(-1), &json!(["system_prompt"])));
    assert_eq!((&shown["key_preview"], &shown["value_preview"]), (&json!("s-1"), &json!(null)));
    assert_eq!(shown["headers"], json!([["app", "hi"]]));
    let whole = api.get("/v1/dead-letters/1/0/1?content=true").await.json();
    assert_eq!((&whole["decoded"]["system_prompt"], &whole["withheld"]), (&json!("the secret prompt"), &json!([])));
    assert!(whole["value_preview"].as_str().is_some());
    for missing in ["/v1/dead-letters/1/0/2", "/v1/dead-letters/x/0/1"] {
        assert_eq!(api.get(missing).await.status, 404, "{missing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_are_sent_once_and_those_that_would_fail_again_stay() {
    let kafka = Kafka::new();
    let api = kafka.api().await;
    with_letters(&api, &kafka.id, &[letter(1), sound(2), sound(3)]).await;
    let answer = redrive(&api, json!(["1/0/1", "1/0/2", "1/0/3", "1/0/3"])).await.json();
    assert_eq!((&answer["redriven"], &answer["already_redriven"]), (&json!(2), &json!(0)));
    assert_eq!(answer["refused"][0]["letter_id"], "1/0/1");
    assert!(answer["refused"][0]["message"].as_str().unwrap().contains("input_tokens is -1"), "{answer}");
    assert_eq!(kafka.records(), 2);
    let again = redrive(&api, json!(["1/0/2", "1/0/3"])).await.json();
    assert_eq!((&again["redriven"], &again["already_redriven"]), (&json!(0), &json!(2)));
    assert_eq!(kafka.records(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_of_a_request_with_a_wrong_name_or_a_letter_of_another_cluster() {
    let kafka = Kafka::new();
    let api = kafka.api().await;
    with_letters(&api, "another", &[sound(1)]).await;
    let missing = redrive(&api, json!(["1/0/1", "1/0/9"])).await;
    assert_eq!(missing.status, 404);
    assert!(missing.text.contains("1/0/9"), "{}", missing.text);
    let foreign = redrive(&api, json!(["1/0/1"])).await;
    assert_eq!((foreign.status.as_u16(), &foreign.json()["error"]["code"]), (409, &json!("other_cluster")));
    for wrong in [json!([]), json!(["1/0"]), json!(vec!["1/0/1"; 1001]), json!("1/0/1")] {
        assert_eq!(redrive(&api, wrong).await.json()["error"]["code"], "invalid_letters");
    }
    assert_eq!(kafka.records(), 0);
    let unmarked = Letter::find(&api.database, letter(1).place).await.unwrap().unwrap();
    assert_eq!(unmarked.redriven_at, None);
}

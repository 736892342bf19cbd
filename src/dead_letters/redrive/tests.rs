//! Redriving against SQLite and the Kafka client's mock cluster.

use clap::Parser as _;
use rdkafka::ClientConfig;
use rdkafka::Message as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Headers as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{FutureProducer, Producer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::dead_letters::test_letters::{Letters, letter};
use opstream_api::dead_letters::Letter;
use opstream_api::dead_letters::REDRIVEN_FROM;

const TOPIC: &str = "llm.operations";
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);

#[derive(clap::Parser)]
struct CommandLine {
    #[command(flatten)]
    args: RedriveArgs,
}

struct Fixture {
    letters: Letters,
    cluster: MockCluster<'static, rdkafka::producer::DefaultProducerContext>,
}

impl Fixture {
    async fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        let fixture = Self { letters: Letters::new().await, cluster };
        let client: FutureProducer =
            ClientConfig::new().set("bootstrap.servers", fixture.cluster.bootstrap_servers()).create().unwrap();
        let id = tokio::task::block_in_place(|| client.client().fetch_cluster_id(PATIENCE)).unwrap();
        fixture.letters.run(&format!("update streams set cluster_id = '{id}'")).await;
        fixture
    }

    /// The arguments of a command line, on this database and cluster.
    fn args(&self, words: &[&str]) -> RedriveArgs {
        let (data, bootstrap) = (self.letters.folder().display().to_string(), self.cluster.bootstrap_servers());
        let mut line = vec!["redrive", "--data", &data, "--bootstrap", &bootstrap];
        line.extend(words);
        CommandLine::try_parse_from(line).unwrap().args
    }

    async fn redrive(&self, words: &[&str]) -> anyhow::Result<bool> {
        run(&self.args(words)).await.map(|code| code == ExitCode::SUCCESS)
    }

    /// Key and places of origin of every record on the topic.
    fn sent(&self) -> Vec<(String, Vec<String>)> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.bootstrap_servers())
            .set("group.id", "test")
            .create()
            .unwrap();
        let (_, end) = consumer.fetch_watermarks(TOPIC, 0, PATIENCE).unwrap();
        let mut start = TopicPartitionList::new();
        start.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
        consumer.assign(&start).unwrap();
        let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
        (0..end)
            .map(|_| {
                let message = consumer.poll(PATIENCE).expect("a record is missing").unwrap();
                let headers = message.headers().unwrap().iter().filter(|header| header.key == REDRIVEN_FROM);
                (text(message.key()), headers.map(|header| text(header.value)).collect())
            })
            .collect()
    }
}

/// A letter whose record is sound: its schema was unknown to the ingestor of that time.
fn sound(offset: i64) -> Letter {
    let operation = opstream_schemas::Operation {
        session_id: Some(format!("s-{offset}")),
        ..opstream_schemas::Operation::starting("chat", opstream_schemas::UtcMicros::now())
    };
    let mut value = Vec::new();
    opstream_schemas::avro::encode_operation(&operation, &mut value);
    Letter { reason_code: "newer_schema".to_owned(), operation_id: None, value: Some(value), ..letter(offset) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_sends_only_what_the_first_did_not() {
    let fixture = Fixture::new().await;
    for offset in 0..3 {
        fixture.letters.add(&sound(offset)).await;
    }
    assert!(fixture.redrive(&["1/0/1"]).await.unwrap());
    assert!(fixture.redrive(&["--all"]).await.unwrap());
    assert!(fixture.redrive(&["--all"]).await.unwrap());
    let sent = fixture.sent();
    let keys: Vec<_> = sent.iter().map(|(key, from)| (key.as_str(), from.join(","))).collect();
    assert_eq!(keys, [("s-1", "1/0/1".to_owned()), ("s-0", "1/0/0".to_owned()), ("s-2", "1/0/2".to_owned())]);
    assert!(fixture.redrive(&["--all", "--again"]).await.unwrap());
    assert_eq!(fixture.sent().len(), 6);
    assert!(fixture.letters.find(0).await.redriven_at.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_fail_again_stays_unless_it_is_wanted_and_a_dry_run_sends_nothing() {
    let fixture = Fixture::new().await;
    fixture.letters.add(&letter(0)).await;
    fixture.letters.add(&sound(1)).await;
    assert!(!fixture.redrive(&["--all", "--dry-run"]).await.unwrap());
    assert!(fixture.sent().is_empty());
    assert!(!fixture.redrive(&["--all"]).await.unwrap(), "one is not redriven");
    assert_eq!(fixture.sent().len(), 1);
    assert!(fixture.letters.find(0).await.redriven_at.is_none());
    assert!(fixture.redrive(&["--reason", "negative_count", "--unchecked"]).await.unwrap());
    assert_eq!(fixture.sent()[1], ("s-0".to_owned(), vec!["1/0/0".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_failed_twice_names_both_places() {
    let fixture = Fixture::new().await;
    fixture.letters.add(&sound(5)).await;
    let earlier = "312f302f32"; // 1/0/2
    fixture
        .letters
        .run(&format!("update dead_letters set record_headers = '[[\"{REDRIVEN_FROM}\",\"{earlier}\"]]'"))
        .await;
    assert!(fixture.redrive(&["1/0/5"]).await.unwrap());
    assert_eq!(fixture.sent()[0].1, ["1/0/2", "1/0/5"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn repaired_letters_are_read_from_a_file_and_bad_lines_are_named() {
    let fixture = Fixture::new().await;
    for offset in 0..2 {
        fixture.letters.add(&letter(offset)).await;
    }
    let file = fixture.letters.folder().join("repaired.jsonl");
    let lines = "{\"place\":\"1/0/0\",\"operation\":{\"session_id\":\"s-0\",\"input_tokens\":5},\"content_withheld\":[\"system_prompt\"]}\n\
                 {\"place\":\"1/0/1\",\"operation\":{\"input_tokens\":-5}}\n\n{\"place\":\"1/0/9\",\"operation\":{}}\n";
    std::fs::write(&file, lines).unwrap();
    let from = ["--from", file.to_str().unwrap()];
    assert!(!fixture.redrive(&from).await.unwrap());
    assert!(!fixture.redrive(&from).await.unwrap());
    assert_eq!(fixture.sent(), [("s-0".to_owned(), vec!["1/0/0".to_owned()])]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_letters_need_a_yes_and_a_wrong_place_sends_nothing() {
    let fixture = Fixture::new().await;
    for offset in 0..=MANY {
        fixture.letters.add(&sound(offset)).await;
    }
    let refused = fixture.redrive(&["--all"]).await.unwrap_err().to_string();
    assert!(refused.contains("101 letters") && refused.contains("--yes"), "{refused}");
    assert!(fixture.redrive(&["1/0/0", "1/0/999"]).await.unwrap_err().to_string().contains("1/0/999"));
    assert!(fixture.redrive(&[]).await.unwrap_err().to_string().contains("--all"));
    assert!(fixture.sent().is_empty());
    assert!(fixture.redrive(&["--all", "--yes"]).await.unwrap());
    assert_eq!(fixture.sent().len(), 101);
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_bounded_by_bytes_and_every_letter_is_sent_once() {
    let fixture = Fixture::new().await;
    for offset in 0..4 {
        let value = Some(vec![7; opstream_api::dead_letters::redrive::PAGE_BYTES / 2 - 1000]);
        fixture.letters.add(&Letter { value, key: Some(format!("k-{offset}").into_bytes()), ..sound(offset) }).await;
    }
    let args = fixture.args(&["--all", "--unchecked"]);
    let accepted = AcceptedTimes::at(UtcMillis::now(), opstream_schemas::validate::DEFAULT_RETENTION_FLOOR);
    let rules = Rules { accepted, again: false, unchecked: true, schema_id: OPERATION_V1_ID };
    let meant = Meant { conditions: args.conditions(), places: &[] };
    let mut letters = StoredLetters::choose(&fixture.letters.database, meant, rules, Writers::of(None)).await.unwrap();
    let mut sizes = Vec::new();
    loop {
        let page = letters.page(&fixture.letters.database).await.unwrap();
        if page.is_empty() {
            break;
        }
        sizes.push(page.len());
    }
    assert_eq!(sizes, [2, 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_is_away_leaves_the_letters_unmarked() {
    let fixture = Fixture::new().await;
    fixture.letters.add(&sound(0)).await;
    let errors = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT; 100];
    fixture.cluster.request_errors(RDKafkaApiKey::Produce, &errors);
    let error = fixture.redrive(&["--all", "--kafka-property", "message.timeout.ms=300"]).await.unwrap_err();
    assert!(format!("{error:#}").contains("a second run goes on"), "{error:#}");
    assert!(fixture.letters.find(0).await.redriven_at.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_does_not_answer_is_named() {
    let letters = Letters::new().await;
    // Nobody listens on the port of discard.
    let line = ["redrive", "--all", "--data", &letters.folder().display().to_string(), "--bootstrap", "127.0.0.1:9"];
    let error = run(&CommandLine::try_parse_from(line).unwrap().args).await.unwrap_err();
    assert!(
        format!("{error:#}").starts_with("nothing answers at 127.0.0.1:9 (--bootstrap, OPSTREAM_BOOTSTRAP)"),
        "{error:#}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn letters_of_another_cluster_stay_where_they_are_unless_that_is_wanted() {
    let fixture = Fixture::new().await;
    fixture.letters.add(&sound(0)).await;
    fixture.letters.run("update streams set cluster_id = 'the other'").await;
    let file = fixture.letters.folder().join("repaired.jsonl");
    std::fs::write(&file, "{\"place\":\"1/0/0\",\"operation\":{\"session_id\":\"s-0\"}}\n").unwrap();
    for words in [["--all", "--yes"], ["--from", file.to_str().unwrap()]] {
        let error = fixture.redrive(&words).await.unwrap_err().to_string();
        for word in ["1/0/0", "the other", &fixture.cluster.bootstrap_servers(), "--bootstrap", "--other-cluster"] {
            assert!(error.contains(word), "{word}: {error}");
        }
    }
    assert!(fixture.sent().is_empty() && fixture.letters.find(0).await.redriven_at.is_none());
    assert!(fixture.redrive(&["--all", "--other-cluster"]).await.unwrap());
    assert_eq!(fixture.sent().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_alone_says_where_its_broker_is() {
    let fixture = Fixture::new().await;
    fixture.letters.add(&sound(0)).await;
    std::fs::create_dir(fixture.letters.folder().join("broker")).unwrap();
    std::fs::write(fixture.letters.folder().join("broker/address"), fixture.cluster.bootstrap_servers()).unwrap();
    let line = ["redrive", "--all", "--data", &fixture.letters.folder().display().to_string()];
    assert_eq!(run(&CommandLine::try_parse_from(line).unwrap().args).await.unwrap(), ExitCode::SUCCESS);
    assert_eq!(fixture.sent().len(), 1);
}

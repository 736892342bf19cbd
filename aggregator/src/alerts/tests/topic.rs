//! What is on the topic, through librdkafka's own mock of a broker.

use std::time::{Duration, Instant};

use opstream_schemas::avro::{ALERT_V1_ID, Record, WriterId, split_frame};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use rdkafka::{Offset, TopicPartitionList};

use super::*;
use crate::alerts::publish::publish;
use crate::publish::PublishError;
use crate::tests::station::SECOND_FENCE;
use crate::topic::WindowTopic;

const TOPIC: &str = "llm.alerts";

fn keys(bootstrap: &str, expected: usize) -> Vec<String> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", bootstrap).set("group.id", "test").create().unwrap();
    let mut place = TopicPartitionList::new();
    place.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
    consumer.assign(&place).unwrap();
    let mut keys = Vec::new();
    let deadline = Instant::now() + Duration::from_secs(20);
    while keys.len() < expected && Instant::now() < deadline {
        if let Some(message) = consumer.poll(Duration::from_millis(100)) {
            let message = message.unwrap();
            assert_eq!(split_frame(message.payload().unwrap()).unwrap().schema_id, ALERT_V1_ID);
            keys.push(String::from_utf8(message.key().unwrap().to_vec()).unwrap());
        }
    }
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn each_revision_is_published_once_and_again_by_whoever_does_not_know() {
    Station::each(async |station| {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        let id = WriterId::unknown();
        let mut topic =
            WindowTopic::new(TOPIC.to_owned(), &cluster.bootstrap_servers(), &BTreeMap::new(), id.clone()).unwrap();
        let day = "[[rule]]\nname = \"day\"\nkind = \"budget\"\namount_usd = \"0.00001\"\nperiod = \"day\"\nthresholds = [50, 100]\n";
        station.put_rules(day, MADE).await;
        station.count(&[spent(NOON, None, 10_000)]).await;
        station.look(at(NOON)).await;
        let waiting = publish(&station.database, &mut topic, FIRST_FENCE).await;
        assert!(matches!(waiting, Err(PublishError::SchemaUnknown)));
        id.learn(Record::Alert.newest().id);

        // Sent, and not marked: a successor sends it again under the same key.
        assert!(matches!(publish(&station.database, &mut topic, SECOND_FENCE).await, Err(PublishError::Lease(_))));
        assert_eq!(publish(&station.database, &mut topic, FIRST_FENCE).await.unwrap(), 2);
        assert_eq!(publish(&station.database, &mut topic, FIRST_FENCE).await.unwrap(), 0);
        station.look(at(NOON + DAY_MILLIS)).await;
        assert_eq!(publish(&station.database, &mut topic, FIRST_FENCE).await.unwrap(), 2);

        let alerts = station.alerts().await;
        let ids: Vec<&str> = alerts.iter().map(|alert| alert.alert_id.as_str()).collect();
        let bootstrap = cluster.bootstrap_servers();
        let keys = tokio::task::spawn_blocking(move || keys(&bootstrap, 6)).await.unwrap();
        assert_eq!(keys.len(), 6);
        assert!(ids.iter().all(|id| keys.iter().filter(|key| key == id).count() == 3), "{keys:?}");
    })
    .await;
}

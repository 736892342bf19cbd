//! What is on the topic, through librdkafka's own mock of a broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use opstream_schemas::avro::{WINDOW_V1_ID, split_frame};
use opstream_schemas::offsets::Fence;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{Offset, TopicPartitionList};

use super::oracle::TestOperation;
use super::station::Station;
use super::{MINUTE, NOON, at};
use crate::expire::{delete_expired_minutes, delete_replaced_generations};
use crate::lease::LeaseError;
use crate::publish::{Due, PublishError, publish};
use crate::settings::WindowSettings;
use crate::topic::WindowTopic;

const TOPIC: &str = "llm.windows";

struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    topic: WindowTopic,
}

impl Broker {
    fn new() -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        let topic = WindowTopic::new(TOPIC.to_owned(), &cluster.bootstrap_servers(), &BTreeMap::new()).unwrap();
        Self { cluster, topic }
    }

    /// Every record in order: key, and value unless it is a tombstone.
    fn records(&self, expected: usize) -> Vec<(String, Option<Vec<u8>>)> {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", self.cluster.bootstrap_servers())
            .set("group.id", "test")
            .create()
            .unwrap();
        let mut place = TopicPartitionList::new();
        place.add_partition_offset(TOPIC, 0, Offset::Beginning).unwrap();
        consumer.assign(&place).unwrap();
        let mut records = Vec::new();
        let deadline = Instant::now() + Duration::from_secs(20);
        while records.len() < expected && Instant::now() < deadline {
            if let Some(message) = consumer.poll(Duration::from_millis(100)) {
                let message = message.unwrap();
                let key = String::from_utf8(message.key().unwrap().to_vec()).unwrap();
                records.push((key, message.payload().map(<[u8]>::to_vec)));
            }
        }
        records
    }
}

async fn unpublished(station: &Station) -> i64 {
    station.int("select count(*) as n from windows where revision > published_revision").await
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_windows_are_published_at_once_and_open_ones_only_when_due() {
    Station::each(async |station| {
        let broker = Broker::new();
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON - 20 * MINUTE)]).await;
        station.settle(&mut windower).await;
        // 12:00: the minute, the quarter-hour and the hour of 11:40 are over, the day is not.
        let closed = publish(&station.database, &broker.topic, Fence(1), (Due::Closed, at(NOON))).await.unwrap();
        assert_eq!((closed, unpublished(&station).await), (21, 7));
        let open = publish(&station.database, &broker.topic, Fence(1), (Due::All, at(NOON))).await.unwrap();
        assert_eq!((open, unpublished(&station).await), (7, 0));
        let again = publish(&station.database, &broker.topic, Fence(1), (Due::All, at(NOON))).await.unwrap();
        assert_eq!(again, 0, "what is published is not sent again");

        let records = broker.records(28);
        assert_eq!(records.len(), 28);
        let hour = r#"["hour",1795431600000,"operation_type","w","chat"]"#;
        let (_, value) = records.iter().find(|(key, _)| key == hour).unwrap();
        assert_eq!(split_frame(value.as_ref().unwrap()).unwrap().schema_id, WINDOW_V1_ID);
        let keys: std::collections::BTreeSet<_> = records.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), 28);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replaced_holder_sent_is_sent_again_by_its_successor() {
    Station::each(async |station| {
        let broker = Broker::new();
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle(&mut windower).await;
        station.execute("update aggregator_lease set fence = 2", &[]).await;
        let late = publish(&station.database, &broker.topic, Fence(1), (Due::All, at(NOON))).await;
        assert!(matches!(late, Err(PublishError::Lease(LeaseError::Replaced { fence: Fence(1) }))));
        assert!(unpublished(&station).await > 0);
        // Even where the successor had published already.
        station.execute("update windows set published_revision = revision", &[]).await;
        station.execute("update windows set published_revision = 0 where level = 0", &[]).await;
        publish(&station.database, &broker.topic, Fence(1), (Due::All, at(NOON))).await.unwrap_err();
        assert_eq!(publish(&station.database, &broker.topic, Fence(2), (Due::All, at(NOON))).await.unwrap(), 7);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_minutes_get_tombstones_and_wider_windows_stay() {
    Station::each(async |station| {
        let broker = Broker::new();
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle(&mut windower).await;
        publish(&station.database, &broker.topic, Fence(1), (Due::All, at(NOON))).await.unwrap();
        let week_later = at(NOON + 7 * 1440 * MINUTE + 60 * MINUTE);
        station.settle_at(&mut windower, week_later).await;
        let settings = WindowSettings::read(&station.database).await.unwrap();
        assert!(!delete_expired_minutes(&station.database, &broker.topic, Fence(1), settings).await.unwrap());
        assert_eq!(station.int("select count(*) as n from windows where level = 0").await, 0);
        assert_eq!(station.int("select count(*) as n from windows").await, 21);
        let records = broker.records(35);
        let tombstones: Vec<_> = records.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key).collect();
        assert_eq!(tombstones.len(), 7);
        assert!(tombstones.iter().all(|key| key.starts_with("[\"minute\",1795435200000,")));
        // A late operation of that minute is in the wider windows only.
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle_at(&mut windower, week_later).await;
        assert_eq!(station.int("select count(*) as n from windows where level = 0").await, 0);
        assert_eq!(station.int("select operations as n from windows where dimension_set = 1 and level = 3").await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_generation_is_deleted_and_what_is_gone_gets_tombstones() {
    Station::each(async |station| {
        let broker = Broker::new();
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle(&mut windower).await;
        // A window that no file explains, as somebody might have inserted it.
        station.execute("update windows set window_start_ms = 0 where level = 3 and dimension_set = 1", &[]).await;
        publish(&station.database, &broker.topic, Fence(1), (Due::All, at(NOON))).await.unwrap();
        crate::rebuild::ask(&station.database).await.unwrap();
        station.settle(&mut windower).await;
        let republished = publish(&station.database, &broker.topic, Fence(1), (Due::All, at(NOON))).await.unwrap();
        assert_eq!(republished, 28);
        let settings = WindowSettings::read(&station.database).await.unwrap();
        while delete_replaced_generations(&station.database, &broker.topic, Fence(1), settings).await.unwrap() {}
        assert_eq!(station.int("select count(*) as n from windows where generation < 2").await, 0);
        assert_eq!(station.int("select count(*) as n from windowed_files where generation < 2").await, 0);
        assert_eq!(station.int("select count(*) as n from windowed_files").await, 1);
        let records = broker.records(57);
        let tombstones: Vec<_> =
            records.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.as_str()).collect();
        assert_eq!(tombstones, [r#"["day",0,"workspace","w"]"#]);
    })
    .await;
}

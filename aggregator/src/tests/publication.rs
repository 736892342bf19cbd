//! What is on the topic, through librdkafka's own mock of a broker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use opstream_schemas::avro::{Record, SchemaId, WINDOW_V3_ID, WriterId, split_frame};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};

use super::oracle::TestOperation;
use super::station::{FIRST_FENCE, SECOND_FENCE, Station};
use super::{MINUTE, NOON, at};
use crate::bury::{bury, bury_slice, noted};
use crate::expire::{delete_expired_minutes, delete_other_generations};
use crate::lease::LeaseError;
use crate::outbox::Outbox;
use crate::publish::{PublishError, publish};
use crate::settings::WindowSettings;
use crate::topic::WindowTopic;

const TOPIC: &str = "llm.windows";

struct Broker {
    cluster: MockCluster<'static, DefaultProducerContext>,
    topic: WindowTopic,
}

impl Broker {
    fn new() -> Self {
        Self::with_schema_id(WriterId::builtin(Record::Window))
    }

    fn with_schema_id(id: WriterId) -> Self {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic(TOPIC, 1, 1).unwrap();
        let topic = WindowTopic::new(TOPIC.to_owned(), &cluster.bootstrap_servers(), &BTreeMap::new(), id).unwrap();
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
async fn changed_windows_are_published_once() {
    Station::each(async |station| {
        let mut broker = Broker::new();
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON - 20 * MINUTE)]).await;
        station.settle(&mut windower).await;
        assert_eq!(publish(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap(), 28);
        assert_eq!(unpublished(station).await, 0);
        assert_eq!(publish(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap(), 0);

        let records = broker.records(28);
        assert_eq!(records.len(), 28);
        let hour = r#"["hour",1795431600000,"operation_type","w","chat"]"#;
        let (_, value) = records.iter().find(|(key, _)| key == hour).unwrap();
        assert_eq!(split_frame(value.as_ref().unwrap()).unwrap().schema_id, WINDOW_V3_ID);
        let keys: std::collections::BTreeSet<_> = records.iter().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), 28);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_wait_until_the_registry_has_said_their_id() {
    let mut station = Station::on_sqlite().await;
    let id = WriterId::unknown();
    let mut broker = Broker::with_schema_id(id.clone());
    let mut windower = station.windower();
    station.commit(&[TestOperation::at(NOON - 20 * MINUTE)]).await;
    station.settle(&mut windower).await;
    let waiting = publish(&station.database, &mut broker.topic, FIRST_FENCE).await;
    assert!(matches!(waiting, Err(PublishError::SchemaUnknown)));
    assert_eq!(unpublished(&station).await, 28);
    id.learn(SchemaId(100_001));
    assert_eq!(publish(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap(), 28);
    let written: Vec<SchemaId> =
        broker.records(28).iter().map(|(_, value)| split_frame(value.as_ref().unwrap()).unwrap().schema_id).collect();
    assert_eq!(written, [SchemaId(100_001); 28]);
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_that_change_again_and_again_are_published_at_a_pace() {
    let mut station = Station::on_sqlite().await;
    let Broker { topic, cluster: _cluster } = Broker::new();
    let mut windower = station.windower();
    let mut outbox = Outbox::new(station.database.clone(), topic).for_existing_topic();
    station.commit(&[TestOperation::at(NOON - 1440 * MINUTE)]).await;
    station.settle(&mut windower).await;
    outbox.pass(FIRST_FENCE).await.unwrap();
    assert_eq!(unpublished(&station).await, 0);
    station.commit(&[TestOperation::at(NOON - 1440 * MINUTE)]).await;
    station.settle(&mut windower).await;
    outbox.pass(FIRST_FENCE).await.unwrap();
    assert_eq!(unpublished(&station).await, 28, "windows of the past, too, wait for the next pass");
    outbox.flush(FIRST_FENCE).await.unwrap();
    assert_eq!(unpublished(&station).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_goes_on_where_its_time_was_over_whatever_changes_meanwhile() {
    let mut station = Station::on_sqlite().await;
    let Broker { topic, cluster: _cluster } = Broker::new();
    let mut windower = station.windower();
    let mut outbox = Outbox::new(station.database.clone(), topic).for_existing_topic();
    for (turn, (is_over, waiting)) in
        [(false, 21), (false, 21), (false, 21), (false, 21), (true, 21)].into_iter().enumerate()
    {
        // Four levels of seven windows each: those that were sent change again.
        if turn < 4 {
            station.commit(&[TestOperation::at(NOON - 20 * MINUTE)]).await;
            station.settle(&mut windower).await;
        }
        assert_eq!(outbox.publish_for(Duration::ZERO, FIRST_FENCE).await.unwrap(), is_over);
        assert_eq!(unpublished(&station).await, waiting);
    }
    assert!(!outbox.publish_for(Duration::ZERO, FIRST_FENCE).await.unwrap(), "another pass begins");
    assert_eq!(unpublished(&station).await, 14);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_producer_that_ended_is_replaced() {
    let mut station = Station::on_sqlite().await;
    let mut broker = Broker::new();
    let mut windower = station.windower();
    station.commit(&[TestOperation::at(NOON)]).await;
    station.settle(&mut windower).await;
    assert_eq!(publish(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap(), 28);
    station.commit(&[TestOperation::at(NOON)]).await;
    station.settle(&mut windower).await;
    let out_of_order = RDKafkaRespErr::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
    broker.cluster.request_errors(RDKafkaApiKey::Produce, &[out_of_order]);
    publish(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap_err();
    assert_eq!(publish(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap(), 28);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replaced_holder_sent_is_sent_again_by_its_successor() {
    Station::each(async |station| {
        let mut broker = Broker::new();
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle(&mut windower).await;
        station.execute("update aggregator_lease set fence = fence + 1", &[]).await;
        let late = publish(&station.database, &mut broker.topic, FIRST_FENCE).await;
        assert!(matches!(late, Err(PublishError::Lease(LeaseError::Replaced { fence: FIRST_FENCE }))));
        assert!(unpublished(station).await > 0);
        // Even where the successor had published already.
        station.execute("update windows set published_revision = revision", &[]).await;
        station.execute("update windows set published_revision = 0 where level = 0", &[]).await;
        publish(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap_err();
        assert_eq!(publish(&station.database, &mut broker.topic, SECOND_FENCE).await.unwrap(), 7);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_minutes_get_tombstones_and_wider_windows_stay() {
    Station::each(async |station| {
        let mut broker = Broker::new();
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle(&mut windower).await;
        publish(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap();
        // As if the holder had been killed between sending and marking.
        station.execute("update windows set published_revision = 0 where level = 0 and dimension_set = 1", &[]).await;
        let week_later = NOON + 7 * 1440 * MINUTE + 60 * MINUTE;
        station.commit(&[TestOperation::at(week_later)]).await;
        station.settle_at(&mut windower, at(week_later)).await;
        station.settle_at(&mut windower, at(week_later)).await;
        let settings = WindowSettings::read(&station.database).await.unwrap();
        assert!(!delete_expired_minutes(&station.database, FIRST_FENCE, settings).await.unwrap());
        assert_eq!(station.int("select count(*) as n from windows where level = 0").await, 7);
        assert_eq!(station.int("select count(*) as n from windows").await, 21 + 28);
        bury(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap();
        assert_eq!(station.int("select count(*) as n from window_tombstones").await, 0);
        let records = broker.records(35);
        let tombstones: Vec<_> = records.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key).collect();
        assert_eq!(tombstones.len(), 7);
        assert!(tombstones.iter().all(|key| key.starts_with("[\"minute\",1795435200000,")));
        // A late operation of that minute is in the wider windows only.
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle_at(&mut windower, at(week_later)).await;
        assert_eq!(station.int("select count(*) as n from windows where level = 0").await, 7);
        let day = "select max(operations) as n from windows where dimension_set = 1 and level = 3";
        assert_eq!(station.int(day).await, 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_holders_tombstone_ends_no_window_of_its_successor() {
    Station::each(async |station| {
        let mut broker = Broker::new();
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle(&mut windower).await;
        station.execute("update windows set published_revision = revision", &[]).await;
        let note = "insert into window_tombstones (dimension_set, level, window_start_ms, dimension_id) \
                    select dimension_set, level, window_start_ms, dimension_id from windows where level = 1";
        station.execute(note, &[]).await;
        bury(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap();
        assert_eq!(unpublished(station).await, 0, "what is there again gets no tombstone");

        // The old holder asks while the windows are gone, and is frozen until they are there again.
        station.execute(note, &[]).await;
        station.execute("update aggregator_lease set fence = fence + 1", &[]).await;
        station.execute("update windows set generation = 9 where level = 1", &[]).await;
        let rows = noted(&station.database).await.unwrap();
        station.execute("update windows set generation = 1 where level = 1", &[]).await;
        let late = bury_slice(&station.database, &mut broker.topic, FIRST_FENCE, &rows).await;
        assert!(matches!(late, Err(PublishError::Lease(LeaseError::Replaced { fence: FIRST_FENCE }))));
        assert_eq!(publish(&station.database, &mut broker.topic, SECOND_FENCE).await.unwrap(), 7);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_generation_is_deleted_and_what_is_gone_gets_tombstones() {
    Station::each(async |station| {
        let mut broker = Broker::new();
        let mut windower = station.windower();
        station.commit(&[TestOperation::at(NOON)]).await;
        station.settle(&mut windower).await;
        // A window that no file explains, as somebody might have inserted it.
        station
            .execute("update windows set window_start_ms = 1420070400000 where level = 3 and dimension_set = 1", &[])
            .await;
        publish(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap();
        crate::rebuild::ask(&station.database).await.unwrap();
        station.settle(&mut windower).await;
        let republished = publish(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap();
        assert_eq!(republished, 28);
        let settings = WindowSettings::read(&station.database).await.unwrap();
        while delete_other_generations(&station.database, FIRST_FENCE, settings).await.unwrap() {}
        bury(&station.database, &mut broker.topic, FIRST_FENCE).await.unwrap();
        assert_eq!(station.int("select count(*) as n from windows where generation < 2").await, 0);
        assert_eq!(station.int("select count(*) as n from windowed_files where generation < 2").await, 0);
        assert_eq!(station.int("select count(*) as n from windowed_files").await, 1);
        let records = broker.records(57);
        let tombstones: Vec<_> =
            records.iter().filter(|(_, value)| value.is_none()).map(|(key, _)| key.as_str()).collect();
        assert_eq!(tombstones, [r#"["day",1420070400000,"workspace","w"]"#]);
    })
    .await;
}

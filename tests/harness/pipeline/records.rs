//! Records that a story writes to the topic past the producer library and the front door.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};

use super::Pipeline;

/// Long enough for a broker that is busy.
const SENT_WITHIN: Duration = Duration::from_secs(30);

impl Pipeline<'_> {
    /// Sends these values under one key, so that they are in one partition and in this order.
    pub(crate) async fn send_values(&self, values: &[Vec<u8>]) {
        let producer: FutureProducer = ClientConfig::new()
            .set("bootstrap.servers", self.bootstrap())
            .set("partitioner", "murmur2_random")
            .set("message.max.bytes", "10000000")
            .set("enable.idempotence", "true")
            .create()
            .expect("the settings are valid");
        let topic = self.topic("operations");
        for value in values {
            let record = FutureRecord::to(&topic).key("s").payload(value);
            producer.send(record, SENT_WITHIN).await.map_err(|(error, _)| error).expect("the broker takes it");
        }
    }
}

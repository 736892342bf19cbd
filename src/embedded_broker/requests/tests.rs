use std::path::Path;

use super::shape::tests::{Filling, build, every_version};
use super::*;
use crate::embedded_broker::batch::tests::batch;
use crate::embedded_broker::group::JoinRequest;
use crate::embedded_broker::{EmbeddedBroker, EmbeddedBrokerConfig, TopicPlan, ensure_topic};

/// Name of a topic, of a group, of its member, of its client and of the way to assign.
const NAME: &str = "operations";

fn plan() -> TopicPlan {
    TopicPlan { name: NAME.to_owned(), partitions: 2, compacted: false, reader: None }
}

async fn start(folder: &Path) -> EmbeddedBroker {
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    EmbeddedBroker::start(EmbeddedBrokerConfig { folder: folder.to_owned(), listen, topics: vec![plan()] })
        .await
        .unwrap()
}

/// Sees to it that the topic exists and that the group has its one member.
async fn prepare(broker: &Broker) {
    ensure_topic(&broker.topics, &plan()).unwrap();
    if broker.coordinator.with_group(NAME, |group| !group.is_idle()) == Some(true) {
        return;
    }
    let joined = broker.coordinator.join(
        NAME,
        JoinRequest {
            member_id: String::new(),
            instance_id: None,
            client_id: NAME.to_owned(),
            session_timeout: std::time::Duration::from_mins(1),
            rebalance_timeout: std::time::Duration::from_mins(1),
            protocol_type: NAME.to_owned(),
            protocols: vec![(NAME.to_owned(), Bytes::from_static(b"topics"))],
            new_member_id: NAME.to_owned(),
            must_come_back: false,
        },
    );
    joined.await.unwrap();
}

/// The encoder refuses what a version does not know, so a field too many closes the connection.
#[tokio::test(flavor = "multi_thread")]
async fn every_supported_request_is_answered_in_every_version() {
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path()).await;
    let advertised = Advertised { host: "localhost".to_owned(), port: 9092 };
    let blob = batch(None, &[("a", Some("1")), ("b", Some("2"))]);
    for (kind, version) in every_version() {
        let nothing = Filling { text: "", blob: &blob, number: 0, n_elements: 0 };
        let unknown = Filling { text: "unknown", n_elements: 1, ..nothing };
        let known = Filling { text: NAME, number: 1, n_elements: 1, ..nothing };
        for filling in [nothing, unknown, known, Filling { n_elements: 2, ..known }, Filling { text: "", ..known }] {
            prepare(&running.broker).await;
            let (request, _) = build(kind, version, filling);
            let outcome = answer(&running.broker, &advertised, request.into()).await;
            assert!(outcome.is_ok(), "{:?} in version {version} about {:?}: {outcome:?}", kind.key, filling.text);
        }
    }
    running.stop().await.unwrap();
}

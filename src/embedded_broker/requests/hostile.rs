//! What must hold of any request. Used by the fuzz target `broker_request` and, on the inputs that it has stored, by every test
//! run.

use bytes::Bytes;
use kafka_protocol::messages as kafka;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::protocol::Decodable;

use super::shape::{Kind, SUPPORTED};

/// Takes the way of a request: it is decoded if its kind and version are supported and its shape is right.
///
/// # Panics
/// When the shape allows what the decoder stumbles over.
pub(crate) fn check(request: &[u8]) {
    let [k0, k1, v0, v1, ..] = request[..] else { return };
    let (key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
    let kind = SUPPORTED.iter().find(|kind| kind.key as i16 == key);
    let Some(kind) = kind.filter(|kind| (kind.lowest..=kind.highest).contains(&version)) else { return };
    if kind.check(version, request).is_ok() {
        // Text that is no UTF-8 and nulls where none may be are for the decoder to refuse.
        decode(kind, version, request).ok();
    }
}

/// Bytes of memory that a request of this length may take: 256 for each of its bytes, for elements of which each has one at
/// least, and what the structures around them take.
#[cfg_attr(test, expect(dead_code, reason = "a test cannot count memory"))]
pub(crate) const fn most_memory(length: usize) -> usize {
    256 * length + (4 << 10)
}

/// Decodes a whole request and returns the number of bytes that are left over.
pub(super) fn decode(kind: &Kind, version: i16, request: &[u8]) -> anyhow::Result<usize> {
    fn body<R: Decodable>(version: i16, mut body: Bytes) -> anyhow::Result<usize> {
        R::decode(&mut body, version).map(|_| body.len())
    }
    let mut rest = Bytes::copy_from_slice(request);
    kafka::RequestHeader::decode(&mut rest, kind.key.request_header_version(version))?;
    match kind.key {
        ApiKey::Produce => body::<kafka::ProduceRequest>(version, rest),
        ApiKey::Fetch => body::<kafka::FetchRequest>(version, rest),
        ApiKey::ListOffsets => body::<kafka::ListOffsetsRequest>(version, rest),
        ApiKey::Metadata => body::<kafka::MetadataRequest>(version, rest),
        ApiKey::OffsetCommit => body::<kafka::OffsetCommitRequest>(version, rest),
        ApiKey::OffsetFetch => body::<kafka::OffsetFetchRequest>(version, rest),
        ApiKey::FindCoordinator => body::<kafka::FindCoordinatorRequest>(version, rest),
        ApiKey::JoinGroup => body::<kafka::JoinGroupRequest>(version, rest),
        ApiKey::Heartbeat => body::<kafka::HeartbeatRequest>(version, rest),
        ApiKey::LeaveGroup => body::<kafka::LeaveGroupRequest>(version, rest),
        ApiKey::SyncGroup => body::<kafka::SyncGroupRequest>(version, rest),
        ApiKey::DescribeGroups => body::<kafka::DescribeGroupsRequest>(version, rest),
        ApiKey::ListGroups => body::<kafka::ListGroupsRequest>(version, rest),
        ApiKey::ApiVersions => body::<kafka::ApiVersionsRequest>(version, rest),
        ApiKey::CreateTopics => body::<kafka::CreateTopicsRequest>(version, rest),
        ApiKey::DeleteTopics => body::<kafka::DeleteTopicsRequest>(version, rest),
        ApiKey::InitProducerId => body::<kafka::InitProducerIdRequest>(version, rest),
        ApiKey::DescribeConfigs => body::<kafka::DescribeConfigsRequest>(version, rest),
        ApiKey::CreatePartitions => body::<kafka::CreatePartitionsRequest>(version, rest),
        ApiKey::DeleteGroups => body::<kafka::DeleteGroupsRequest>(version, rest),
        ApiKey::DescribeCluster => body::<kafka::DescribeClusterRequest>(version, rest),
        key => unreachable!("{key:?} is not supported"),
    }
}

#[cfg(test)]
#[test]
fn the_stored_inputs_of_the_fuzzer_are_decoded_or_refused() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/broker_request");
    let mut inputs = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(std::panic::catch_unwind(|| check(&bytes)).is_ok(), "{}", path.display());
        inputs += 1;
    }
    assert!(inputs > 0, "{corpus} is empty");
}

//! What the broker answers: from the bytes of one request to the bytes of its response.
//!
//! Only the part of Kafka's protocol that clients need from a single broker: no transactions, no access control, no
//! replication. [`SUPPORTED`] is what clients are told, so they never ask for more. Every request is checked against the
//! shape of its kind before it is decoded, so that none can reserve more memory than it has bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use kafka_protocol::ResponseError;
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, BrokerId, RequestHeader, ResponseHeader,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, StrBytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::FolderLock;
use super::coordinator::Coordinator;
use super::offsets::CommittedOffsets;
use super::topics::Topics;
pub(super) use fetching::RESPONSE_MEMORY_BYTES;
use shape::{Kind, SUPPORTED};

mod committing;
mod describing;
mod fetching;
mod grouping;
#[cfg(test)]
mod hostile;
mod listing;
mod producing;
mod shape;
mod topic_changes;

/// The only broker there is.
const NODE: BrokerId = BrokerId(1);
/// Leaders never change, so there is one epoch.
const LEADER_EPOCH: i32 = 0;

/// Everything that requests work on.
#[derive(Debug)]
pub(super) struct Broker {
    pub(super) topics: Topics,
    pub(super) offsets: CommittedOffsets,
    pub(super) coordinator: Coordinator,
    /// The group of each topic that must have read before retention by size removes anything.
    pub(super) readers: BTreeMap<String, String>,
    /// Bytes that requests may still take beyond what every connection has.
    pub(super) request_memory: Semaphore,
    /// Bytes that records on their way to consumers may still take.
    pub(super) response_memory: Arc<Semaphore>,
    /// Held while somebody unpacks a batch.
    pub(super) unpacking: tokio::sync::Mutex<()>,
    /// Ends the waiting of consumers.
    pub(super) shutdown: CancellationToken,
    /// No other process may use the folder while a connection can still write.
    pub(super) _lock: Arc<FolderLock>,
}

/// How the client reaches this broker: the address it has connected to.
#[derive(Clone, Debug)]
pub(super) struct Advertised {
    pub(super) host: String,
    pub(super) port: u16,
}

/// A response with its length.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) bytes: Bytes,
    /// Given back when the client has taken the response.
    _memory: Option<OwnedSemaphorePermit>,
}

/// The connection cannot go on: what follows on it would not be understood.
#[derive(Debug, thiserror::Error)]
pub(super) enum RequestError {
    /// Not a Kafka client, or one that did not ask which versions are supported.
    #[error("request of kind {key} in version {version} is not supported")]
    Unsupported { key: i16, version: i16 },
    /// The bytes do not fit the kind and version that they claim.
    #[error("request cannot be decoded: {0}")]
    Malformed(anyhow::Error),
    /// A defect of this broker.
    #[error("response cannot be encoded: {0}")]
    Unanswerable(anyhow::Error),
}

/// The kind of a request and what its response must repeat.
#[derive(Clone, Copy, Debug)]
struct Envelope {
    key: ApiKey,
    version: i16,
    correlation_id: i32,
}

/// Answers one request (without its length); `None` when the client wants no answer.
///
/// # Errors
/// When the connection cannot go on.
pub(super) async fn answer(
    broker: &Arc<Broker>,
    advertised: &Advertised,
    mut request: Bytes,
) -> Result<Option<Response>, RequestError> {
    let envelope = match open_envelope(&request)? {
        Ok(envelope) => envelope,
        Err(bytes) => return Ok(Some(Response { bytes, _memory: None })),
    };
    let header = RequestHeader::decode(&mut request, envelope.key.request_header_version(envelope.version))
        .map_err(RequestError::Malformed)?;
    let body = &mut request;
    let response = match envelope.key {
        ApiKey::Produce => match producing::produce(broker, envelope.decode(body)?).await {
            Some(response) => envelope.encode(&response),
            None => return Ok(None),
        },
        ApiKey::Fetch => {
            let (response, memory) = Box::pin(fetching::fetch(broker, envelope.decode(body)?)).await;
            return envelope.encode(&response).map(|bytes| Some(Response { bytes, _memory: memory }));
        }
        ApiKey::ListOffsets => {
            envelope.encode(&listing::list_offsets(broker, envelope.decode(body)?, envelope.version).await)
        }
        ApiKey::Metadata => {
            envelope.encode(&describing::metadata(broker, advertised, &envelope.decode(body)?, envelope.version))
        }
        ApiKey::OffsetCommit => envelope.encode(&committing::commit(broker, envelope.decode(body)?).await),
        ApiKey::OffsetFetch => envelope.encode(&committing::fetch(broker, envelope.decode(body)?, envelope.version)),
        ApiKey::FindCoordinator => {
            envelope.encode(&describing::coordinator(advertised, &envelope.decode(body)?, envelope.version))
        }
        ApiKey::JoinGroup => {
            let client_id = header.client_id.as_deref().unwrap_or_default();
            envelope.encode(&grouping::join(broker, envelope.decode(body)?, client_id, envelope.version).await)
        }
        ApiKey::Heartbeat => envelope.encode(&grouping::heartbeat(broker, &envelope.decode(body)?)),
        ApiKey::LeaveGroup => envelope.encode(&grouping::leave(broker, envelope.decode(body)?, envelope.version)),
        ApiKey::SyncGroup => envelope.encode(&grouping::sync(broker, envelope.decode(body)?).await),
        ApiKey::DescribeGroups => envelope.encode(&grouping::describe(broker, envelope.decode(body)?)),
        ApiKey::ListGroups => envelope.encode(&grouping::list(broker)),
        ApiKey::CreateTopics => envelope.encode(&topic_changes::create(broker, envelope.decode(body)?).await),
        ApiKey::DeleteTopics => envelope.encode(&topic_changes::delete(broker, envelope.decode(body)?).await),
        ApiKey::CreatePartitions => envelope.encode(&topic_changes::grow(broker, envelope.decode(body)?).await),
        ApiKey::InitProducerId => envelope.encode(&producing::init_producer(broker, &envelope.decode(body)?).await),
        ApiKey::DescribeConfigs => envelope.encode(&describing::configs(broker, &envelope.decode(body)?)),
        ApiKey::DeleteGroups => envelope.encode(&grouping::delete(broker, envelope.decode(body)?).await),
        ApiKey::DescribeCluster => envelope.encode(&describing::cluster(broker, advertised)),
        ApiKey::ApiVersions => {
            let _asked: ApiVersionsRequest = envelope.decode(body)?;
            envelope.encode(&versions(0))
        }
        _ => Err(RequestError::Unsupported { key: header.request_api_key, version: envelope.version }),
    };
    response.map(|bytes| Some(Response { bytes, _memory: None }))
}

/// Reads kind, version and correlation id, and checks the request's shape. A client that asks for the versions in a
/// version that is too new gets the answer in version 0, as Kafka does, and asks again.
fn open_envelope(request: &Bytes) -> Result<Result<Envelope, Bytes>, RequestError> {
    let [k0, k1, v0, v1, c0, c1, c2, c3, ..] = request[..] else {
        return Err(RequestError::Malformed(anyhow::anyhow!("it has {} bytes", request.len())));
    };
    let (key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
    let correlation_id = i32::from_be_bytes([c0, c1, c2, c3]);
    let supported = SUPPORTED.iter().find(|supported| supported.key as i16 == key);
    match supported {
        Some(kind) if (kind.lowest..=kind.highest).contains(&version) => {
            kind.check(version, request).map_err(|error| RequestError::Malformed(error.into()))?;
            Ok(Ok(Envelope { key: kind.key, version, correlation_id }))
        }
        Some(Kind { key: ApiKey::ApiVersions, .. }) => {
            let envelope = Envelope { key: ApiKey::ApiVersions, version: 0, correlation_id };
            envelope.encode(&versions(ResponseError::UnsupportedVersion.code())).map(Err)
        }
        _ => Err(RequestError::Unsupported { key, version }),
    }
}

fn versions(error_code: i16) -> ApiVersionsResponse {
    let describe = |kind: &Kind| {
        let version = ApiVersion::default().with_api_key(kind.key as i16);
        version.with_min_version(kind.lowest).with_max_version(kind.highest)
    };
    ApiVersionsResponse::default().with_error_code(error_code).with_api_keys(SUPPORTED.iter().map(describe).collect())
}

impl Envelope {
    fn decode<R: Decodable>(self, body: &mut Bytes) -> Result<R, RequestError> {
        R::decode(body, self.version).map_err(RequestError::Malformed)
    }

    fn encode<R: Encodable + HeaderVersion>(self, response: &R) -> Result<Bytes, RequestError> {
        self.try_encode(response).map_err(RequestError::Unanswerable)
    }

    fn try_encode<R: Encodable + HeaderVersion>(self, response: &R) -> anyhow::Result<Bytes> {
        const LENGTH_BYTES: usize = 4;
        let header = ResponseHeader::default().with_correlation_id(self.correlation_id);
        let header_version = R::header_version(self.version);
        let length = header.compute_size(header_version)? + response.compute_size(self.version)?;
        let mut bytes = BytesMut::with_capacity(LENGTH_BYTES + length);
        bytes.extend_from_slice(&i32::try_from(length)?.to_be_bytes());
        header.encode(&mut bytes, header_version)?;
        response.encode(&mut bytes, self.version)?;
        Ok(bytes.freeze())
    }
}

/// The protocol's number for the outcome of something.
fn code<T>(outcome: &Result<T, ResponseError>) -> i16 {
    outcome.as_ref().err().map_or(0, ResponseError::code)
}

fn text(text: impl Into<String>) -> StrBytes {
    StrBytes::from_string(text.into())
}

#[cfg(test)]
mod tests;

//! A member of a consumer group, and what members and their group say to each other.

use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What a member sends to take part.
#[derive(Clone, Debug)]
pub(in crate::embedded_broker) struct JoinRequest {
    /// Empty for a member that has no id yet.
    pub(in crate::embedded_broker) member_id: String,
    /// Given by the operator to a member that takes its place again when it is started again.
    pub(in crate::embedded_broker) instance_id: Option<String>,
    pub(in crate::embedded_broker) client_id: String,
    pub(in crate::embedded_broker) session_timeout: Duration,
    pub(in crate::embedded_broker) rebalance_timeout: Duration,
    pub(in crate::embedded_broker) protocol_type: String,
    /// Ways to assign that the member knows, best first, each with the member's own data for it.
    pub(in crate::embedded_broker) protocols: Vec<(String, Bytes)>,
    /// The id to use for a new member.
    pub(in crate::embedded_broker) new_member_id: String,
    /// Whether a new member must first learn its id and come back with it.
    pub(in crate::embedded_broker) must_come_back: bool,
}

/// The group after everybody joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::embedded_broker) struct Joined {
    pub(in crate::embedded_broker) member_id: String,
    pub(in crate::embedded_broker) generation: i32,
    pub(in crate::embedded_broker) protocol_type: String,
    pub(in crate::embedded_broker) protocol: String,
    pub(in crate::embedded_broker) leader: String,
    /// For the leader: every member with its instance id and data; empty for the others.
    pub(in crate::embedded_broker) members: Vec<(String, Option<String>, Bytes)>,
}

/// A member may not join, or not yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::embedded_broker) struct JoinRefused {
    pub(in crate::embedded_broker) error: ResponseError,
    /// The id to come back with.
    pub(in crate::embedded_broker) member_id: String,
}

/// A member's share of the leader's assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::embedded_broker) struct Synced {
    pub(in crate::embedded_broker) protocol_type: String,
    pub(in crate::embedded_broker) protocol: String,
    pub(in crate::embedded_broker) assignment: Bytes,
}

/// Where a joining member gets its answer.
pub(in crate::embedded_broker) type JoinReply = oneshot::Sender<Result<Joined, JoinRefused>>;
/// Where a syncing member gets its answer.
pub(in crate::embedded_broker) type SyncReply = oneshot::Sender<Result<Synced, ResponseError>>;

/// As whom somebody speaks: a member of one generation of the group, and the instance id it was given.
#[derive(Clone, Copy, Debug)]
pub(in crate::embedded_broker) struct Membership<'a> {
    pub(in crate::embedded_broker) member_id: &'a str,
    pub(in crate::embedded_broker) instance_id: Option<&'a str>,
    pub(in crate::embedded_broker) generation: i32,
}

/// A member as its group knows it.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) instance_id: Option<String>,
    pub(super) client_id: String,
    pub(super) session_timeout: Duration,
    pub(super) rebalance_timeout: Duration,
    pub(super) protocols: Vec<(String, Bytes)>,
    pub(super) assignment: Bytes,
    /// Without a sign of life until then the member is removed, unless it waits for an answer.
    pub(super) expires_at: Instant,
    pub(super) joining: Option<JoinReply>,
    pub(super) syncing: Option<SyncReply>,
}

impl Member {
    /// A member whose request waits for the group to be complete.
    pub(super) fn entering(request: JoinRequest, now: Instant, reply: JoinReply) -> Self {
        Self {
            instance_id: request.instance_id,
            client_id: request.client_id,
            session_timeout: request.session_timeout,
            rebalance_timeout: request.rebalance_timeout,
            protocols: request.protocols,
            assignment: Bytes::new(),
            expires_at: now + request.session_timeout,
            joining: Some(reply),
            syncing: None,
        }
    }

    /// Whether the member knows this way to assign.
    pub(super) fn knows(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|(name, _)| name == protocol)
    }

    /// What the member sent for a protocol.
    pub(super) fn data_for(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|(name, _)| name == protocol).map(|(_, data)| data.clone()).unwrap_or_default()
    }
}

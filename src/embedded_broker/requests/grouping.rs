//! Consumer groups: joining, assigning, staying alive, leaving, and looking at them.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    ListGroupsResponse, SyncGroupRequest, SyncGroupResponse,
};
use uuid::Uuid;

use super::{Broker, code, text};
use crate::embedded_broker::group::{Group, JoinRequest, Membership};

/// Since this version a new member is told its id first, so that a lost answer leaves no ghost in the group.
const FIRST_VERSION_WITH_KNOWN_IDS: i16 = 4;

/// Kafka's limit for sessions. One member that does not come back can hold the others up that long.
const LONGEST_TIMEOUT: Duration = Duration::from_mins(30);

/// Takes part in a group; waits for the other members.
pub(super) async fn join(
    broker: &Broker,
    request: JoinGroupRequest,
    client_id: &str,
    version: i16,
) -> JoinGroupResponse {
    let millis = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(LONGEST_TIMEOUT);
    let session_timeout = millis(request.session_timeout_ms);
    let request_of_member = JoinRequest {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_deref().map(str::to_owned),
        client_id: client_id.to_owned(),
        session_timeout,
        // Version 0 has only one timeout.
        rebalance_timeout: millis(request.rebalance_timeout_ms).max(session_timeout),
        protocol_type: request.protocol_type.to_string(),
        protocols: request.protocols.into_iter().map(|way| (way.name.to_string(), way.metadata)).collect(),
        new_member_id: format!("{client_id}-{}", Uuid::now_v7()),
        must_come_back: version >= FIRST_VERSION_WITH_KNOWN_IDS,
    };
    match broker.coordinator.join(&request.group_id, request_of_member).await {
        Ok(joined) => {
            let describe = |(member_id, instance_id, metadata): (String, Option<String>, Bytes)| {
                JoinGroupResponseMember::default()
                    .with_member_id(text(member_id))
                    .with_group_instance_id(instance_id.map(text))
                    .with_metadata(metadata)
            };
            JoinGroupResponse::default()
                .with_generation_id(joined.generation)
                .with_protocol_type(Some(text(joined.protocol_type)))
                .with_protocol_name(Some(text(joined.protocol)))
                .with_leader(text(joined.leader))
                .with_member_id(text(joined.member_id))
                .with_members(joined.members.into_iter().map(describe).collect())
        }
        Err(refused) => JoinGroupResponse::default()
            .with_error_code(refused.error.code())
            .with_generation_id(-1)
            .with_protocol_name(Some(text("")))
            .with_member_id(text(refused.member_id)),
    }
}

/// A member's share of the assignment; waits for the leader to bring it.
pub(super) async fn sync(broker: &Broker, request: SyncGroupRequest) -> SyncGroupResponse {
    let assignments =
        request.assignments.into_iter().map(|share| (share.member_id.to_string(), share.assignment)).collect();
    let instance_id = request.group_instance_id.as_deref();
    let by = Membership { member_id: &request.member_id, instance_id, generation: request.generation_id };
    match broker.coordinator.sync(&request.group_id, by, assignments).await {
        Ok(synced) => SyncGroupResponse::default()
            .with_protocol_type(Some(text(synced.protocol_type)))
            .with_protocol_name(Some(text(synced.protocol)))
            .with_assignment(synced.assignment),
        Err(error) => SyncGroupResponse::default().with_error_code(error.code()),
    }
}

/// A sign of life, answered with whether the member must join again.
pub(super) fn heartbeat(broker: &Broker, request: &HeartbeatRequest) -> HeartbeatResponse {
    let instance_id = request.group_instance_id.as_deref();
    let by = Membership { member_id: &request.member_id, instance_id, generation: request.generation_id };
    let outcome = broker.coordinator.heartbeat(&request.group_id, by);
    HeartbeatResponse::default().with_error_code(code(&outcome))
}

/// Members leave.
pub(super) fn leave(broker: &Broker, request: LeaveGroupRequest, version: i16) -> LeaveGroupResponse {
    // Since version 3 several members may leave in one request.
    if version < 3 {
        let outcome = broker.coordinator.leave(&request.group_id, &request.member_id, None);
        return LeaveGroupResponse::default().with_error_code(code(&outcome));
    }
    let members = request.members.into_iter().map(|member| {
        let instance_id = member.group_instance_id.as_deref();
        let outcome = broker.coordinator.leave(&request.group_id, &member.member_id, instance_id);
        MemberResponse::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.group_instance_id)
            .with_error_code(code(&outcome))
    });
    LeaveGroupResponse::default().with_members(members.collect())
}

/// All groups that have members or have committed offsets.
pub(super) fn list(broker: &Broker) -> ListGroupsResponse {
    let names: BTreeSet<String> = broker.coordinator.names().into_iter().chain(broker.offsets.groups()).collect();
    let describe = |name: String| {
        let look = |group: &Group| (group.state_name(), group.protocol().0.to_owned());
        let (state, protocol_type) =
            broker.coordinator.with_group(&name, look).unwrap_or_else(|| ("Empty", "consumer".to_owned()));
        ListedGroup::default()
            .with_group_id(GroupId(text(name)))
            .with_group_state(text(state))
            .with_protocol_type(text(protocol_type))
    };
    ListGroupsResponse::default().with_groups(names.into_iter().map(describe).collect())
}

/// The members of groups.
pub(super) fn describe(broker: &Broker, request: DescribeGroupsRequest) -> DescribeGroupsResponse {
    let known = broker.offsets.groups();
    let describe = |id: GroupId| {
        let absent = if known.iter().any(|name| *name == *id.0) { "Empty" } else { "Dead" };
        let described = broker.coordinator.with_group(&id, describe_group);
        described.unwrap_or_else(|| DescribedGroup::default().with_group_state(text(absent))).with_group_id(id)
    };
    DescribeGroupsResponse::default().with_groups(request.groups.into_iter().map(describe).collect())
}

fn describe_group(group: &Group) -> DescribedGroup {
    let (protocol_type, protocol) = group.protocol();
    let members = group.describe_members().map(|(member_id, instance_id, client_id, metadata, assignment)| {
        DescribedGroupMember::default()
            .with_member_id(text(member_id))
            .with_group_instance_id(instance_id.map(text))
            .with_client_id(text(client_id))
            .with_member_metadata(metadata)
            .with_member_assignment(assignment)
    });
    DescribedGroup::default()
        .with_group_state(text(group.state_name()))
        .with_protocol_type(text(protocol_type))
        .with_protocol_data(text(protocol))
        .with_members(members.collect())
}

/// Forgets groups without members and what they committed.
pub(super) async fn delete(broker: &Broker, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
    let mut results = Vec::with_capacity(request.groups_names.len());
    for id in request.groups_names {
        let has_members = broker.coordinator.with_group(&id, |group| !group.is_idle()).unwrap_or(false);
        let outcome = if has_members {
            Err(ResponseError::NonEmptyGroup)
        } else {
            match broker.offsets.forget_group(&id).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(ResponseError::GroupIdNotFound),
                Err(error) => {
                    tracing::error!(error = %error, group = id.as_str(), "cannot write committed offsets");
                    Err(ResponseError::KafkaStorageError)
                }
            }
        };
        results.push(DeletableGroupResult::default().with_group_id(id).with_error_code(code(&outcome)));
    }
    DeleteGroupsResponse::default().with_results(results)
}

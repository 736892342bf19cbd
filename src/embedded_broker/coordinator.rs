//! All consumer groups of the broker and their clock.
//!
//! Turns the answers that a [`Group`] sends later into futures, and lets every group notice the passing of time. What
//! groups committed is in `offsets.rs`; here is only who may commit.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::group::{Group, JoinRefused, JoinRequest, Joined, Membership, Synced};

/// How exactly session and rebalance timeouts are kept; they are seconds.
const TICK: Duration = Duration::from_millis(200);

/// The groups by name.
#[derive(Debug, Default)]
pub(super) struct Coordinator {
    groups: Mutex<BTreeMap<String, Group>>,
}

impl Coordinator {
    /// Takes part in a group; returns when the group is complete, which may take as long as its rebalance timeout.
    ///
    /// # Errors
    /// When the member may not join, or must come back with the id it is given.
    pub(super) async fn join(&self, group: &str, request: JoinRequest) -> Result<Joined, JoinRefused> {
        let (reply, answer) = oneshot::channel();
        let member_id = request.member_id.clone();
        self.groups().entry(group.to_owned()).or_default().join(request, Instant::now(), reply);
        answer.await.unwrap_or(Err(JoinRefused { error: ResponseError::UnknownMemberId, member_id }))
    }

    /// A member's share, as soon as the leader has assigned it.
    ///
    /// # Errors
    /// When the member must join again.
    pub(super) async fn sync(
        &self,
        group: &str,
        by: Membership<'_>,
        assignments: Vec<(String, Bytes)>,
    ) -> Result<Synced, ResponseError> {
        let (reply, answer) = oneshot::channel();
        self.groups().entry(group.to_owned()).or_default().sync(by, assignments, reply);
        answer.await.unwrap_or(Err(ResponseError::UnknownMemberId))
    }

    /// Notes a sign of life.
    ///
    /// # Errors
    /// When the member must join again.
    pub(super) fn heartbeat(&self, group: &str, by: Membership<'_>) -> Result<(), ResponseError> {
        let mut groups = self.groups();
        let group = groups.get_mut(group).ok_or(ResponseError::UnknownMemberId)?;
        group.heartbeat(by, Instant::now())
    }

    /// A member leaves, by its id or by its instance id.
    ///
    /// # Errors
    /// When there is no such member.
    pub(super) fn leave(&self, group: &str, member_id: &str, instance_id: Option<&str>) -> Result<(), ResponseError> {
        let mut groups = self.groups();
        let group = groups.get_mut(group).ok_or(ResponseError::UnknownMemberId)?;
        group.leave(member_id, instance_id, Instant::now())
    }

    /// Whether offsets may be committed by this member; consumers outside a group's protocol have generation −1.
    ///
    /// # Errors
    /// When the caller is not, or no longer, a member.
    pub(super) fn may_commit(&self, group: &str, by: Membership<'_>) -> Result<(), ResponseError> {
        match self.groups().get(group) {
            Some(group) => group.may_commit(by),
            None if by.generation < 0 => Ok(()),
            None => Err(ResponseError::UnknownMemberId),
        }
    }

    /// Looks at a group that has, or recently had, members.
    pub(super) fn with_group<T>(&self, group: &str, look: impl FnOnce(&Group) -> T) -> Option<T> {
        self.groups().get(group).map(look)
    }

    /// Names of all groups that have members.
    pub(super) fn names(&self) -> Vec<String> {
        self.groups().keys().cloned().collect()
    }

    /// Lets time pass in all groups until the broker stops.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
            let now = Instant::now();
            self.groups().retain(|_, group| {
                group.tick(now);
                !group.is_idle()
            });
        }
    }

    fn groups(&self) -> MutexGuard<'_, BTreeMap<String, Group>> {
        self.groups.lock().expect("no code panics while it holds the groups")
    }
}

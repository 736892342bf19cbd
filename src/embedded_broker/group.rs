//! One consumer group: who its members are and which of them reads what (Kafka's "classic" protocol).
//!
//! A state machine without clock or IO: time comes in, and answers go out through channels when the group decides them,
//! because a member waits for the others. The members compute the assignment themselves; the group only carries it from
//! the leader to the rest. Members are not kept across a restart: clients join again on their own.
//!
//! Of two processes that were given the same instance id the younger one is the member; the older one is fenced, which
//! clients do not try again, so that the two do not push each other out for ever.

use std::collections::BTreeMap;

use bytes::Bytes;
use kafka_protocol::ResponseError;
use tokio::time::Instant;

use member::Member;
pub(super) use member::{JoinRefused, JoinReply, JoinRequest, Joined, Membership, SyncReply, Synced};

mod describe;
mod member;

/// Members and those who are about to become one.
const MOST_MEMBERS: usize = 1_000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Empty,
    /// Waiting for every member to join again, at most until `deadline`.
    Joining {
        deadline: Instant,
    },
    /// Waiting for the leader's assignment.
    Syncing,
    Stable,
}

/// A consumer group.
#[derive(Debug, Default)]
pub(super) struct Group {
    state: State,
    generation: i32,
    protocol_type: String,
    protocol: String,
    leader: String,
    members: BTreeMap<String, Member>,
    /// Ids given to members that have yet to come back, until when.
    expected: BTreeMap<String, Instant>,
}

impl Group {
    /// A member joins, or joins again; `reply` is answered when the group is complete.
    pub(super) fn join(&mut self, request: JoinRequest, now: Instant, reply: JoinReply) {
        match self.admit(&request, now) {
            Ok(member_id) => {
                self.protocol_type.clone_from(&request.protocol_type);
                self.enter(member_id, Member::entering(request, now, reply), now);
            }
            Err(refused) => drop(reply.send(Err(refused))),
        }
    }

    /// The id under which the request takes part.
    fn admit(&mut self, request: &JoinRequest, now: Instant) -> Result<String, JoinRefused> {
        let refuse = |error| Err(JoinRefused { error, member_id: request.member_id.clone() });
        if !self.shares_protocol(request) {
            return refuse(ResponseError::InconsistentGroupProtocol);
        }
        if let Some(holder) = self.holder(request.instance_id.as_deref()).map(str::to_owned) {
            if request.member_id.is_empty() {
                self.remove(&holder, ResponseError::FencedInstanceId);
            } else if holder != request.member_id {
                return refuse(ResponseError::FencedInstanceId);
            }
        }
        if self.members.len() + self.expected.len() >= MOST_MEMBERS && !self.knows(&request.member_id) {
            return refuse(ResponseError::GroupMaxSizeReached);
        }
        if request.member_id.is_empty() {
            if request.must_come_back && request.instance_id.is_none() {
                self.expected.insert(request.new_member_id.clone(), now + request.session_timeout);
                let member_id = request.new_member_id.clone();
                return Err(JoinRefused { error: ResponseError::MemberIdRequired, member_id });
            }
            return Ok(request.new_member_id.clone());
        }
        let is_expected = self.expected.remove(&request.member_id).is_some();
        if is_expected || self.members.contains_key(&request.member_id) {
            Ok(request.member_id.clone())
        } else {
            refuse(ResponseError::UnknownMemberId)
        }
    }

    fn enter(&mut self, member_id: String, mut member: Member, now: Instant) {
        let is_unchanged = self.members.get(&member_id).is_some_and(|known| known.protocols == member.protocols);
        let may_stay = match self.state {
            State::Stable => is_unchanged && self.leader != member_id,
            State::Syncing => is_unchanged,
            State::Empty | State::Joining { .. } => false,
        };
        if let Some(reply) = member.joining.take_if(|_| may_stay) {
            if let Some(known) = self.members.get_mut(&member_id) {
                known.expires_at = member.expires_at;
            }
            drop(reply.send(Ok(self.joined(&member_id))));
        } else {
            self.members.insert(member_id, member);
            self.rebalance(now);
        }
    }

    /// A member asks for its share; the leader brings everybody's. `reply` is answered once the leader has.
    pub(super) fn sync(&mut self, by: Membership<'_>, assignments: Vec<(String, Bytes)>, reply: SyncReply) {
        if let Err(error) = self.check(by) {
            drop(reply.send(Err(error)));
            return;
        }
        match self.state {
            State::Joining { .. } | State::Empty => drop(reply.send(Err(ResponseError::RebalanceInProgress))),
            State::Stable => drop(reply.send(Ok(self.synced(by.member_id)))),
            State::Syncing => {
                if let Some(member) = self.members.get_mut(by.member_id) {
                    member.syncing = Some(reply);
                }
                if by.member_id == self.leader {
                    self.assign(assignments);
                }
            }
        }
    }

    /// A sign of life.
    ///
    /// # Errors
    /// When the member must join again.
    pub(super) fn heartbeat(&mut self, by: Membership<'_>, now: Instant) -> Result<(), ResponseError> {
        self.check(by)?;
        if let Some(member) = self.members.get_mut(by.member_id) {
            member.expires_at = now + member.session_timeout;
        }
        match self.state {
            State::Joining { .. } => Err(ResponseError::RebalanceInProgress),
            State::Empty | State::Syncing | State::Stable => Ok(()),
        }
    }

    /// A member leaves, by its id or by its instance id; when both are given, they must be the same member's.
    ///
    /// # Errors
    /// When there is no such member.
    pub(super) fn leave(
        &mut self,
        member_id: &str,
        instance_id: Option<&str>,
        now: Instant,
    ) -> Result<(), ResponseError> {
        let id = match self.holder(instance_id) {
            Some(holder) if member_id.is_empty() || member_id == holder => holder.to_owned(),
            Some(_) => return Err(ResponseError::FencedInstanceId),
            None if instance_id.is_none() && self.members.contains_key(member_id) => member_id.to_owned(),
            None => return self.expected.remove(member_id).map(|_| ()).ok_or(ResponseError::UnknownMemberId),
        };
        self.remove(&id, ResponseError::UnknownMemberId);
        self.rebalance(now);
        Ok(())
    }

    /// Whether offsets may be committed by this member; consumers outside the protocol have generation −1.
    ///
    /// # Errors
    /// When the caller is not, or no longer, a member.
    pub(super) fn may_commit(&self, by: Membership<'_>) -> Result<(), ResponseError> {
        if by.generation < 0 && by.member_id.is_empty() {
            return if self.members.is_empty() { Ok(()) } else { Err(ResponseError::UnknownMemberId) };
        }
        self.check(by)?;
        if self.state == State::Syncing { Err(ResponseError::RebalanceInProgress) } else { Ok(()) }
    }

    /// Removes who has not been heard of in time and ends rebalances that took too long.
    pub(super) fn tick(&mut self, now: Instant) {
        self.expected.retain(|_, until| *until > now);
        let is_waiting = |member: &Member| {
            member.joining.as_ref().is_some_and(|reply| !reply.is_closed())
                || member.syncing.as_ref().is_some_and(|reply| !reply.is_closed())
        };
        let is_late = matches!(self.state, State::Joining { deadline } if deadline <= now);
        let is_gone = |member: &Member| {
            if is_late { member.joining.is_none() } else { member.expires_at <= now && !is_waiting(member) }
        };
        let gone: Vec<String> =
            self.members.iter().filter(|(_, member)| is_gone(member)).map(|(id, _)| id.clone()).collect();
        for id in &gone {
            self.remove(id, ResponseError::UnknownMemberId);
        }
        if is_late {
            self.expected.clear();
        }
        if !gone.is_empty() {
            self.rebalance(now);
        } else if matches!(self.state, State::Joining { .. }) {
            self.finish_join(now);
        }
    }

    /// Whether nothing would be lost by forgetting the group.
    pub(super) fn is_idle(&self) -> bool {
        self.members.is_empty() && self.expected.is_empty()
    }

    fn shares_protocol(&self, request: &JoinRequest) -> bool {
        let mut others = self.members.iter().filter(|(id, _)| **id != request.member_id).peekable();
        if request.protocols.is_empty() {
            return false;
        }
        if others.peek().is_none() {
            return true;
        }
        let others: Vec<&Member> = others.map(|(_, member)| member).collect();
        let is_known_to_all = |name: &String| others.iter().all(|member| member.knows(name));
        request.protocol_type == self.protocol_type && request.protocols.iter().any(|(name, _)| is_known_to_all(name))
    }

    /// Id of the member that was given this instance id.
    fn holder(&self, instance_id: Option<&str>) -> Option<&str> {
        let holds = |(_, member): &(&String, &Member)| member.instance_id.as_deref() == instance_id;
        instance_id.and_then(|_| self.members.iter().find(holds)).map(|(id, _)| id.as_str())
    }

    fn knows(&self, member_id: &str) -> bool {
        self.members.contains_key(member_id) || self.expected.contains_key(member_id)
    }

    fn check(&self, by: Membership<'_>) -> Result<(), ResponseError> {
        if self.holder(by.instance_id).is_some_and(|holder| holder != by.member_id) {
            Err(ResponseError::FencedInstanceId)
        } else if !self.members.contains_key(by.member_id) {
            Err(ResponseError::UnknownMemberId)
        } else if by.generation != self.generation {
            Err(ResponseError::IllegalGeneration)
        } else {
            Ok(())
        }
    }

    fn remove(&mut self, member_id: &str, error: ResponseError) {
        let Some(member) = self.members.remove(member_id) else { return };
        if let Some(reply) = member.joining {
            drop(reply.send(Err(JoinRefused { error, member_id: member_id.to_owned() })));
        }
        if let Some(reply) = member.syncing {
            drop(reply.send(Err(error)));
        }
    }

    /// Asks every member to join again, and goes on at once when all of them have.
    fn rebalance(&mut self, now: Instant) {
        if !matches!(self.state, State::Joining { .. }) {
            let patience = self.members.values().map(|member| member.rebalance_timeout).max().unwrap_or_default();
            self.state = State::Joining { deadline: now + patience };
            for member in self.members.values_mut() {
                if let Some(reply) = member.syncing.take() {
                    drop(reply.send(Err(ResponseError::RebalanceInProgress)));
                }
            }
        }
        self.finish_join(now);
    }

    fn finish_join(&mut self, now: Instant) {
        if self.members.is_empty() {
            self.state = State::Empty;
            return;
        }
        if !self.expected.is_empty() || self.members.values().any(|member| member.joining.is_none()) {
            return;
        }
        self.generation += 1;
        self.protocol = self.choose_protocol();
        if !self.members.contains_key(&self.leader) {
            self.leader = self.members.keys().next().cloned().unwrap_or_default();
        }
        self.state = State::Syncing;
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let joined = self.joined(&id);
            if let Some(member) = self.members.get_mut(&id) {
                member.expires_at = now + member.session_timeout;
                if let Some(reply) = member.joining.take() {
                    drop(reply.send(Ok(joined)));
                }
            }
        }
    }

    /// The first protocol in the first member's order that all members know; `admit` sees to it that there is one.
    fn choose_protocol(&self) -> String {
        let mut members = self.members.values();
        let Some(first) = members.next() else { return String::new() };
        let others: Vec<&Member> = members.collect();
        let common = first.protocols.iter().find(|(name, _)| others.iter().all(|member| member.knows(name)));
        common.map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn assign(&mut self, assignments: Vec<(String, Bytes)>) {
        for (member_id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&member_id) {
                member.assignment = assignment;
            }
        }
        self.state = State::Stable;
        let ids: Vec<String> = self.members.keys().cloned().collect();
        for id in ids {
            let synced = self.synced(&id);
            if let Some(reply) = self.members.get_mut(&id).and_then(|member| member.syncing.take()) {
                drop(reply.send(Ok(synced)));
            }
        }
    }

    fn joined(&self, member_id: &str) -> Joined {
        let describe = |(id, member): (&String, &Member)| {
            (id.clone(), member.instance_id.clone(), member.data_for(&self.protocol))
        };
        let is_leader = self.leader == member_id;
        Joined {
            member_id: member_id.to_owned(),
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            leader: self.leader.clone(),
            members: if is_leader { self.members.iter().map(describe).collect() } else { Vec::new() },
        }
    }

    fn synced(&self, member_id: &str) -> Synced {
        Synced {
            protocol_type: self.protocol_type.clone(),
            protocol: self.protocol.clone(),
            assignment: self.members.get(member_id).map(|member| member.assignment.clone()).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests;

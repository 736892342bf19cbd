//! A consumer group as administrators see it.

use bytes::Bytes;

use super::{Group, State};

impl Group {
    /// Kafka's name for the state.
    pub(in crate::embedded_broker) fn state_name(&self) -> &'static str {
        match self.state {
            State::Empty => "Empty",
            State::Joining { .. } => "PreparingRebalance",
            State::Syncing => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }

    /// Protocol type and chosen protocol.
    pub(in crate::embedded_broker) fn protocol(&self) -> (&str, &str) {
        (&self.protocol_type, &self.protocol)
    }

    /// Every member: its id, instance id, client id, data for the chosen protocol, and assignment.
    pub(in crate::embedded_broker) fn describe_members(
        &self,
    ) -> impl Iterator<Item = (&str, Option<&str>, &str, Bytes, Bytes)> {
        self.members.iter().map(|(id, member)| {
            let data = member.data_for(&self.protocol);
            (id.as_str(), member.instance_id.as_deref(), member.client_id.as_str(), data, member.assignment.clone())
        })
    }
}

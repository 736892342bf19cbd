//! What a topic is to be like, and how an existing one differs.

use rdkafka::admin::{NewTopic, TopicReplication};

use super::existing::ExistingTopic;

/// Largest record that the topics take, bytes: a prompt of several megabytes is a legal operation.
const MAX_MESSAGE_BYTES: &str = "10485760";
/// Copies that must have a record before it is acknowledged, where there are so many: Kafka's own default is one, and a
/// record that only one broker has is lost with it.
const COPIES_ACKNOWLEDGED: i32 = 2;

/// A topic of the pipeline.
pub(super) struct TopicPlan {
    name: String,
    partitions: i32,
    replication: i32,
    settings: Vec<(&'static str, String)>,
}

impl TopicPlan {
    /// A topic with these settings and those that all topics share.
    pub(super) fn new(
        name: String,
        partitions: i32,
        replication: i32,
        mut settings: Vec<(&'static str, String)>,
    ) -> Self {
        settings.push(("max.message.bytes", MAX_MESSAGE_BYTES.to_owned()));
        settings.push(("min.insync.replicas", replication.min(COPIES_ACKNOWLEDGED).to_string()));
        Self { name, partitions, replication, settings }
    }

    /// The same for the cluster.
    pub(super) fn new_topic(&self) -> NewTopic<'_> {
        let topic = NewTopic::new(&self.name, self.partitions, TopicReplication::Fixed(self.replication));
        self.settings.iter().fold(topic, |topic, (name, value)| topic.set(name, value))
    }

    /// One line for each difference.
    pub(super) fn differences(&self, existing: &ExistingTopic) -> Vec<String> {
        let mut pairs = vec![
            ("partitions", self.partitions.to_string(), existing.partitions.to_string()),
            ("copies of each partition", self.replication.to_string(), existing.replication.to_string()),
        ];
        for (name, wanted) in &self.settings {
            // A broker that does not speak of a setting does not have it.
            if let Some(found) = existing.settings.get(*name) {
                pairs.push((name, wanted.clone(), found.clone()));
            }
        }
        let differing = pairs.into_iter().filter(|(_, wanted, found)| wanted != found);
        differing.map(|(what, wanted, found)| format!("{what}: {found}, not {wanted}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn plan(replication: i32) -> TopicPlan {
        TopicPlan::new("llm.windows".to_owned(), 4, replication, vec![("cleanup.policy", "compact".to_owned())])
    }

    #[test]
    fn an_acknowledged_record_is_on_two_brokers_where_there_are_two() {
        for (replication, expected) in [(1, "1"), (2, "2"), (3, "2")] {
            assert!(plan(replication).settings.contains(&("min.insync.replicas", expected.to_owned())));
        }
    }

    #[test]
    fn every_difference_is_said_with_both_values() {
        let settings = [("cleanup.policy", "delete"), ("max.message.bytes", "10485760"), ("min.insync.replicas", "1")];
        let settings: HashMap<String, String> =
            settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut existing = ExistingTopic { partitions: 3, replication: 3, settings };
        assert_eq!(
            plan(3).differences(&existing),
            ["partitions: 3, not 4", "cleanup.policy: delete, not compact", "min.insync.replicas: 1, not 2"]
        );
        existing.partitions = 4;
        existing.settings.clear();
        assert!(plan(3).differences(&existing).is_empty());
    }
}

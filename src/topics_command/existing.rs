//! Looks at a topic that exists: its partitions, its copies and its settings.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context as _;
use rdkafka::admin::ResourceSpecifier;
use rdkafka::metadata::MetadataTopic;

use super::{Admin, PATIENCE, options};

/// What a topic is like.
pub(super) struct ExistingTopic {
    /// Number of partitions.
    pub(super) partitions: i32,
    /// Fewest copies of any partition.
    pub(super) replication: i32,
    /// Settings by name, defaults of the cluster included.
    pub(super) settings: HashMap<String, String>,
}

/// Asks the cluster.
///
/// # Errors
/// When it does not answer.
pub(super) async fn look_at(admin: &Arc<Admin>, name: &str) -> anyhow::Result<ExistingTopic> {
    let described = admin.describe_configs(&[ResourceSpecifier::Topic(name)], &options()).await;
    let resources = described.with_context(|| format!("does not tell the settings of {name}"))?;
    let entries = resources.into_iter().filter_map(Result::ok).flat_map(|resource| resource.entries);
    let settings = entries.filter_map(|entry| Some((entry.name, entry.value?))).collect();

    let (asking, topic) = (Arc::clone(admin), name.to_owned());
    // The call blocks until the cluster answers.
    let asked = tokio::task::spawn_blocking(move || asking.inner().fetch_metadata(Some(&topic), PATIENCE));
    let metadata = asked.await?.with_context(|| format!("does not tell the partitions of {name}"))?;
    let partitions = metadata.topics().first().map_or(&[][..], MetadataTopic::partitions);
    let count = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
    Ok(ExistingTopic {
        partitions: count(partitions.len()),
        replication: count(partitions.iter().map(|partition| partition.replicas().len()).min().unwrap_or(0)),
        settings,
    })
}

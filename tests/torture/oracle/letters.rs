//! The dead letters: the poison that was acknowledged and nothing else, in the table and on its topic.

use std::collections::BTreeSet;

use opstream_schemas::database::Database;
use rdkafka::message::{Headers as _, Message as _};

use super::{Verdict, examples};
use crate::harness::pipeline::Pipeline;
use crate::torture::ledger::Numbers;
use crate::torture::operations::{is_poison, number_of};

const LETTERS: &str = "select cast(partition as bigint) as partition, source_offset, operation_id from dead_letters";

/// Compares them.
pub(super) async fn compare(
    pipeline: &Pipeline<'_>,
    database: &Database,
    acknowledged: &Numbers,
    verdict: &mut Verdict,
) {
    let mut numbers = Numbers::default();
    let mut places = BTreeSet::new();
    let mut wrong = Vec::new();
    for row in database.fetch_all(LETTERS, &[]).await.expect("dead letters can be read") {
        places
            .insert((row.int("partition").expect("it is a number"), row.int("source_offset").expect("it is a number")));
        let id = row.optional_id("operation_id").expect("an id or none");
        match id.and_then(|id| number_of(id.bytes())).filter(|number| is_poison(*number)) {
            Some(number) => drop(numbers.insert(number)),
            None => wrong.push(id),
        }
    }
    let missing: Vec<u64> =
        acknowledged.iter().filter(|number| is_poison(*number) && !numbers.contains(*number)).collect();
    let copied = copied(pipeline).await;
    let lacking: Vec<_> = places.difference(&copied).copied().collect();
    let invented: Vec<_> = copied.difference(&places).copied().collect();
    verdict.lost += (missing.len() + lacking.len()) as u64;
    verdict.wrong += (wrong.len() + invented.len()) as u64;
    verdict.remark(missing.len(), "acknowledged operations are neither row nor dead letter", &examples(&missing));
    verdict.remark(wrong.len(), "dead letters are good operations", &examples(&wrong));
    verdict.remark(lacking.len(), "dead letters are not on their topic", &examples(&lacking));
    verdict.remark(invented.len(), "records on the topic of dead letters have no row", &examples(&invented));
}

/// Partition and offset that the headers of the topic's records name.
async fn copied(pipeline: &Pipeline<'_>) -> BTreeSet<(i64, i64)> {
    let records = pipeline.read_topic("operations.dead", |message| {
        let headers = message.headers()?;
        let number = |name: &str| {
            let header = headers.iter().find(|header| header.key == name)?;
            std::str::from_utf8(header.value?).ok()?.parse::<i64>().ok()
        };
        Some((number("__connect.errors.partition")?, number("__connect.errors.offset")?))
    });
    records.await.into_iter().map(|place| place.expect("every dead letter names its place")).collect()
}

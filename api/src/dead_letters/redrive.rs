//! Sends letters to the operations topic again. A page is marked when the broker has acknowledged it: a crash in between sends it again,
//! which adds nothing, because operations keep their ids. A record that fails again becomes a letter of its own, whose headers name the
//! places where it failed before.

mod candidate;
mod outlet;
mod stored;

use std::collections::HashSet;

use anyhow::Context as _;
use opstream_schemas::UtcMillis;
use opstream_schemas::avro::SchemaId;
use opstream_schemas::database::Database;
use opstream_schemas::validate::AcceptedTimes;

pub use self::candidate::{Candidate, Fate, Record, headers};
use self::outlet::SendError;
pub use self::outlet::{OtherCluster, Outlet, OutletAddress};
pub use self::stored::{Meant, NoSuchLetter, StoredLetters};
use super::place::Place;

/// Letters that are on their way at once.
pub const PAGE_LETTERS: usize = 500;
/// Bytes of letters that are held at once, which bounds the memory; a single letter may be larger.
pub const PAGE_BYTES: usize = 8 << 20;
const MARK: &str = include_str!("redrive/mark.sql");

/// How letters are chosen and judged.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Times that operations may have.
    pub accepted: AcceptedTimes,
    /// Whether letters that were redriven before are sent, too.
    pub again: bool,
    /// Whether letters are sent that the checks of this version would refuse again.
    pub unchecked: bool,
    /// Under which repaired operations are written.
    pub schema_id: SchemaId,
}

/// What became of a page.
#[derive(Debug, Default)]
pub struct PageSent {
    /// Of each letter that was settled, by name.
    pub settled: Vec<(String, Settled)>,
    /// Why the others are not on the topic.
    pub failure: Option<anyhow::Error>,
}

/// What became of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The broker has it; in a dry run it would be sent.
    Sent,
    /// It was redriven before.
    AlreadyRedriven,
    /// It does not go.
    Refused {
        /// Stable code.
        code: &'static str,
        /// Why.
        reason: String,
    },
}

/// Sends a page, waits for the acknowledgements and marks what has one. Without an outlet nothing is sent.
///
/// # Errors
/// When a letter came from another cluster, so that nothing was sent; or when what was acknowledged could not be marked.
pub async fn send_page(database: &Database, outlet: Option<&Outlet>, page: Vec<Candidate>) -> anyhow::Result<PageSent> {
    let (mut sent, mut records, mut places) = (PageSent::default(), Vec::new(), HashSet::new());
    for Candidate { name, fate } in page {
        match fate {
            Fate::Refused { code, reason } => sent.settled.push((name, Settled::Refused { code, reason })),
            Fate::AlreadyRedriven => sent.settled.push((name, Settled::AlreadyRedriven)),
            Fate::Send { place, .. } if !places.insert(place) => {
                let reason = format!("{place} stands in the file twice");
                sent.settled.push((name, Settled::Refused { code: "repeated", reason }));
            }
            Fate::Send { place, cluster_id, record } => {
                if let Some(outlet) = outlet {
                    outlet.require_same_cluster(place, &cluster_id)?;
                }
                records.push((name, place, record));
            }
        }
    }
    let Some(outlet) = outlet else {
        sent.settled.extend(records.into_iter().map(|(name, ..)| (name, Settled::Sent)));
        return Ok(sent);
    };
    let queued: Vec<_> = records.iter().map(|(_, _, record)| outlet.queue(record)).collect();
    let mut acknowledged = Vec::with_capacity(records.len());
    for ((name, place, _), queued) in records.into_iter().zip(queued) {
        match outlet.acknowledged(queued).await {
            Ok(()) => acknowledged.push((name, place)),
            Err(SendError::Record(error)) => {
                sent.settled.push((name, Settled::Refused { code: "not_taken", reason: error.to_string() }));
            }
            Err(SendError::Broker(error)) => {
                sent.failure = Some(anyhow::Error::new(error).context(
                    "the broker does not take the letters; a second run goes on with those that it does not have",
                ));
            }
        }
    }
    let marked: Vec<Place> = acknowledged.iter().map(|(_, place)| *place).collect();
    mark(database, &marked)
        .await
        .context("cannot mark the letters that the broker has; a second run sends them again")?;
    sent.settled.extend(acknowledged.into_iter().map(|(name, _)| (name, Settled::Sent)));
    Ok(sent)
}

async fn mark(database: &Database, places: &[Place]) -> Result<(), sqlx::Error> {
    if places.is_empty() {
        return Ok(());
    }
    let now = UtcMillis::now();
    let mut tx = database.begin().await?;
    for place in places {
        let [stream, partition, offset] = place.values();
        tx.execute(MARK, &[stream, partition, offset, now.into()]).await?;
    }
    tx.commit().await
}

//! Takes operations in batches to the front door and keeps account of each: in place already, sent, or refused.
//!
//! Ids that are committed already are not sent again: the first import wins. This is also what keeps one record that is
//! reached by two roads, with two opinions about its workspace, from becoming a dead letter.

mod account;

use std::collections::HashSet;

use opstream_schemas::OperationId;
use tokio::task::JoinSet;

pub(super) use self::account::Delivered;
#[cfg(test)]
pub(super) use self::account::Totals;
use super::display::Display;
use super::door::{Door, DoorError};
use super::feed::{Item, Record};

/// Operations of one batch. The look-up takes at most 1,000 ids.
const BATCH_OPERATIONS: usize = 500;
/// Bytes of one batch, unless a single operation is larger: far below what the front door takes.
const BATCH_BYTES: usize = 2 << 20;
/// Batches under way at once: enough to hide the broker's acknowledgement, and at most 8 MiB of operations.
const BATCHES_UNDER_WAY: usize = 4;

/// The running delivery of one import.
pub(super) struct Delivery {
    door: Door,
    display: Display,
    batch: Vec<Item>,
    batch_bytes: usize,
    under_way: JoinSet<Result<Delivered, DoorError>>,
    delivered: Delivered,
}

impl Delivery {
    /// A delivery that has not sent anything yet.
    pub(super) fn new(door: Door, display: Display) -> Self {
        Self {
            door,
            display,
            batch: Vec::new(),
            batch_bytes: 0,
            under_way: JoinSet::new(),
            delivered: Delivered::default(),
        }
    }

    /// Takes one record; waits while too many batches are under way.
    ///
    /// # Errors
    /// When an earlier batch could not be delivered.
    pub(super) async fn take(&mut self, record: Record) -> Result<(), DoorError> {
        match record {
            Record::Item(item) => {
                self.batch_bytes += item.json.len();
                self.batch.push(item);
                if self.batch.len() >= BATCH_OPERATIONS || self.batch_bytes >= BATCH_BYTES {
                    self.send_batch().await?;
                }
            }
            Record::Refused { refusal, weight } => {
                self.display.advance(weight);
                self.delivered.refuse(refusal);
            }
            Record::Repeated { weight } => {
                self.display.advance(weight);
                self.delivered.n_repeated += 1;
            }
        }
        Ok(())
    }

    /// Sends the rest and waits for the last answer.
    ///
    /// # Errors
    /// When a batch could not be delivered.
    pub(super) async fn finish(mut self) -> Result<Delivered, DoorError> {
        self.send_batch().await?;
        while self.settle_one().await? {}
        self.delivered.refusals.sort_by(|left, right| left.place.cmp(&right.place));
        Ok(self.delivered)
    }

    async fn send_batch(&mut self) -> Result<(), DoorError> {
        while self.under_way.len() >= BATCHES_UNDER_WAY {
            self.settle_one().await?;
        }
        let items = std::mem::take(&mut self.batch);
        self.batch_bytes = 0;
        if !items.is_empty() {
            self.display.advance(items.iter().map(|item| item.weight).sum());
            self.under_way.spawn(deliver(self.door.clone(), items));
        }
        Ok(())
    }

    /// Waits for one batch; false when none is under way.
    async fn settle_one(&mut self) -> Result<bool, DoorError> {
        let Some(result) = self.under_way.join_next().await else { return Ok(false) };
        // A batch's task has no way to panic but a defect, which must not be mistaken for a delivery.
        self.delivered.add(result.expect("a delivery ends by its result")?);
        self.display.tell(&self.delivered);
        Ok(true)
    }
}

async fn deliver(door: Door, items: Vec<Item>) -> Result<Delivered, DoorError> {
    let mut delivered = Delivered::default();
    let ids: Vec<OperationId> = items.iter().map(|item| item.id).collect();
    let existing: HashSet<OperationId> = door.existing(&ids).await?.into_iter().collect();
    let (known, new): (Vec<Item>, Vec<Item>) = items.into_iter().partition(|item| existing.contains(&item.id));
    for item in &known {
        delivered.keep(item.counts);
    }
    let mut waiting = vec![new];
    while let Some(mut batch) = waiting.pop() {
        if batch.is_empty() {
            continue;
        }
        let lines: Vec<&str> = batch.iter().map(|item| item.json.as_str()).collect();
        match door.post_operations(&lines).await {
            Ok(answer) => delivered.settle(batch, answer),
            Err(DoorError::TooLarge { .. }) if batch.len() > 1 => {
                let second_half = batch.split_off(batch.len() / 2);
                waiting.extend([second_half, batch]);
            }
            Err(error @ DoorError::TooLarge { .. }) => delivered.refuse_all(batch, &error),
            Err(error) => return Err(error),
        }
    }
    Ok(delivered)
}

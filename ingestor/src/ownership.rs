//! Which partitions are ours, and how far each of them is. Pure: the pipeline says what happened.
//!
//! A partition that the group has assigned is first *claimed*: a task asks the database and the broker where reading starts.
//! Then it is *read* under the fence of the claim, in an epoch of its own. When something read of it cannot be stored, it is
//! claimed again, as ours this time, and what was read in the old epoch is stale. One that only an operator can help is
//! *halted* until the group takes it away.

use std::collections::BTreeMap;

use opstream_schemas::offsets::{Fence, Offset, Partition};
use opstream_schemas::time::UtcMillis;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::source::StartAt;

/// Our partitions.
pub struct Ownership {
    assigned: BTreeMap<Partition, Assigned>,
    epochs: u64,
    progress: watch::Sender<Positions>,
    stop: CancellationToken,
}

/// How far each partition that is being read is applied.
pub type Positions = BTreeMap<Partition, Position>;

/// How far a partition is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// First offset that is not applied.
    pub next: Offset,
    /// Timestamp of the last record that was applied since we read the partition, if it has one.
    pub last_record_at: Option<UtcMillis>,
}

struct Assigned {
    rebalance: u64,
    state: State,
}

enum State {
    Claiming { epoch: u64, stop: CancellationToken },
    Reading { fence: Fence, epoch: u64 },
    Halted,
}

/// Lets a task claim one partition.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// The partition.
    pub partition: Partition,
    /// Our fence when the partition is ours already and only has to be read again.
    pub fence: Option<Fence>,
    /// Cancelled when the claim is not wanted any more.
    pub stop: CancellationToken,
    rebalance: u64,
    epoch: u64,
}

impl Ownership {
    /// Owns nothing yet. Claims end with the token.
    pub fn new(stop: CancellationToken) -> Self {
        Self { assigned: BTreeMap::new(), epochs: 0, progress: watch::Sender::default(), stop }
    }

    /// The group has assigned this partition, in this rebalance.
    pub fn assign(&mut self, partition: Partition, rebalance: u64) -> Ticket {
        self.begin_claim(partition, rebalance, None)
    }

    /// What was read of this partition is dropped and has to be read again. None when that is being looked after already, or
    /// when the partition is not ours.
    pub fn reread(&mut self, partition: Partition) -> Option<Ticket> {
        let Assigned { rebalance, state: State::Reading { fence, .. } } = self.assigned.get(&partition)? else {
            return None;
        };
        let (rebalance, fence) = (*rebalance, *fence);
        Some(self.begin_claim(partition, rebalance, Some(fence)))
    }

    fn begin_claim(&mut self, partition: Partition, rebalance: u64, fence: Option<Fence>) -> Ticket {
        self.release(&[partition]);
        self.epochs += 1;
        let (epoch, stop) = (self.epochs, self.stop.child_token());
        let state = State::Claiming { epoch, stop: stop.clone() };
        self.assigned.insert(partition, Assigned { rebalance, state });
        Ticket { partition, fence, stop, rebalance, epoch }
    }

    /// The claim of this ticket has worked: the partition is read from now on, beginning at `next`. None when the partition was
    /// taken away meanwhile. Otherwise also the rebalance that assigned the partition.
    pub fn admit(&mut self, ticket: &Ticket, fence: Fence, next: Offset) -> Option<(u64, StartAt)> {
        let assigned = self.claiming(ticket)?;
        assigned.state = State::Reading { fence, epoch: ticket.epoch };
        let position = Position { next, last_record_at: None };
        self.progress.send_modify(|positions| {
            positions.insert(ticket.partition, position);
        });
        Some((ticket.rebalance, StartAt { partition: ticket.partition, offset: next, epoch: ticket.epoch }))
    }

    /// Only an operator can help this partition. False when it was taken away meanwhile.
    pub fn halt(&mut self, ticket: &Ticket) -> bool {
        self.claiming(ticket).map(|assigned| assigned.state = State::Halted).is_some()
    }

    fn claiming(&mut self, ticket: &Ticket) -> Option<&mut Assigned> {
        self.assigned
            .get_mut(&ticket.partition)
            .filter(|assigned| matches!(assigned.state, State::Claiming { epoch, .. } if epoch == ticket.epoch))
    }

    /// This batch's part is applied up to `next`.
    pub fn advance(&mut self, partition: Partition, position: Position) {
        self.progress.send_modify(|positions| {
            if let Some(known) = positions.get_mut(&partition) {
                let last_record_at = position.last_record_at.max(known.last_record_at);
                *known = Position { next: position.next, last_record_at };
            }
        });
    }

    /// Gives these partitions up.
    pub fn release(&mut self, partitions: &[Partition]) {
        for partition in partitions {
            if let Some(Assigned { state: State::Claiming { stop, .. }, .. }) = self.assigned.remove(partition) {
                stop.cancel();
            }
        }
        self.progress.send_modify(|positions| positions.retain(|partition, _| !partitions.contains(partition)));
    }

    /// Gives everything up.
    pub fn release_all(&mut self) {
        let all: Vec<Partition> = self.assigned.keys().copied().collect();
        self.release(&all);
    }

    /// The fence of a range, if its partition is being read and the range was read in the current epoch.
    pub fn fence_for(&self, partition: Partition, epoch: u64) -> Option<Fence> {
        match self.assigned.get(&partition)?.state {
            State::Reading { fence, epoch: current } if current == epoch => Some(fence),
            _ => None,
        }
    }

    /// Partitions that wait for an operator.
    pub fn halted(&self) -> Vec<Partition> {
        let halted = self.assigned.iter().filter(|(_, assigned)| matches!(assigned.state, State::Halted));
        halted.map(|(partition, _)| *partition).collect()
    }

    /// Follows how far the partitions are that are being read.
    pub fn positions(&self) -> watch::Receiver<Positions> {
        self.progress.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const P: Partition = Partition(3);

    #[test]
    fn only_what_was_read_in_the_current_epoch_has_a_fence() {
        let mut ownership = Ownership::new(CancellationToken::new());
        let first = ownership.assign(P, 1);
        assert_eq!(ownership.fence_for(P, 1), None, "it is being claimed");
        let (rebalance, start) = ownership.admit(&first, Fence(7), Offset(5)).unwrap();
        assert_eq!((rebalance, start.offset), (1, Offset(5)));
        assert_eq!(ownership.fence_for(P, start.epoch), Some(Fence(7)));
        let again = ownership.reread(P).unwrap();
        assert_eq!(again.fence, Some(Fence(7)));
        assert!(ownership.reread(P).is_none(), "it is looked after already");
        assert_eq!(ownership.fence_for(P, start.epoch), None, "what was read before is stale");
        let (_, restart) = ownership.admit(&again, Fence(7), Offset(2)).unwrap();
        assert_ne!(restart.epoch, start.epoch);
        assert_eq!(ownership.fence_for(P, restart.epoch), Some(Fence(7)));
    }

    #[test]
    fn a_claim_of_a_partition_that_was_taken_away_comes_to_nothing() {
        let mut ownership = Ownership::new(CancellationToken::new());
        let old = ownership.assign(P, 1);
        ownership.release(&[P]);
        assert!(old.stop.is_cancelled());
        assert!(ownership.admit(&old, Fence(1), Offset(0)).is_none());
        let new = ownership.assign(P, 3);
        assert!(ownership.admit(&old, Fence(1), Offset(0)).is_none(), "assigned again, by another rebalance");
        assert_eq!(ownership.admit(&new, Fence(2), Offset(0)).unwrap().0, 3);
    }

    #[test]
    fn a_halted_partition_stays_so_until_it_is_taken_away() {
        let mut ownership = Ownership::new(CancellationToken::new());
        let ticket = ownership.assign(P, 1);
        assert!(ownership.halt(&ticket));
        assert_eq!(ownership.halted(), [P]);
        assert!(ownership.reread(P).is_none());
        ownership.release(&[P]);
        assert!(ownership.halted().is_empty());
    }

    #[test]
    fn positions_are_those_of_partitions_that_are_read() {
        let mut ownership = Ownership::new(CancellationToken::new());
        let positions = ownership.positions();
        let ticket = ownership.assign(P, 1);
        assert!(positions.borrow().is_empty());
        ownership.admit(&ticket, Fence(1), Offset(4));
        let applied = Position { next: Offset(9), last_record_at: Some(UtcMillis::from_millis(1)) };
        ownership.advance(P, applied);
        ownership.advance(Partition(8), applied);
        assert_eq!(*positions.borrow(), Positions::from([(P, applied)]));
        ownership.release_all();
        assert!(positions.borrow().is_empty());
    }
}

//! The first stage: prepares batches on a blocking thread while the stage behind it stores the batch before.

use opstream_schemas::offsets::StreamId;
use opstream_schemas::time::UtcMillis;
use opstream_schemas::validate::AcceptedTimes;
use tokio::sync::{mpsc, watch};

use crate::prepare::{PreparedBatch, Preparer};
use crate::record::RawBatch;

/// What the stage works with.
pub struct Preparing {
    /// Due batches; the stage ends with them.
    pub batches: mpsc::Receiver<RawBatch>,
    /// Prepared batches. Capacity 1: memory holds at most four batches (collected, waiting, prepared, stored).
    pub prepared: mpsc::Sender<PreparedBatch>,
    /// Does the work.
    pub preparer: Preparer,
    /// The stream's row number.
    pub stream: StreamId,
    /// First accepted id time.
    pub floor: watch::Receiver<UtcMillis>,
}

/// Runs until there are no more batches.
pub async fn prepare_batches(stage: Preparing) {
    let Preparing { mut batches, prepared, mut preparer, stream, floor } = stage;
    while let Some(raw) = batches.recv().await {
        let accepted = AcceptedTimes::at(UtcMillis::now(), *floor.borrow());
        let work = move || {
            let batch = preparer.prepare(raw, stream, accepted);
            (preparer, batch)
        };
        let Ok((returned, batch)) = tokio::task::spawn_blocking(work).await else {
            tracing::error!(
                "preparing a batch panicked; the ingestor stops and reads from the checkpoint when it starts again"
            );
            return;
        };
        preparer = returned;
        if prepared.send(batch).await.is_err() {
            return;
        }
    }
}

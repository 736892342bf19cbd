//! A batch of one partition, as a test wants it.

use opstream_schemas::offsets::{Offset, Partition};

use crate::record::{IncomingRecord, RawBatch};

/// Records with these values, from offset 0 on.
pub(crate) fn batch<'a>(values: impl IntoIterator<Item = Option<&'a [u8]>>) -> RawBatch {
    let mut batch = RawBatch::default();
    for (offset, value) in (0..).map(Offset).zip(values) {
        let record =
            IncomingRecord { partition: Partition(0), offset, timestamp: None, key: None, value, headers: Vec::new() };
        batch.push(record, 1, offset);
    }
    batch
}

//! Compaction: of all records with the same key, only the last one stays.
//!
//! Works on sealed segments only and keeps offsets, so consumers notice nothing but gaps. Several inputs become one output
//! file that takes the place of the first; after a crash, whatever an output covers is removed at the next start. The last
//! record of every input stays even when it is outdated, so that the log has no end that cannot be read.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions};
use sha2::{Digest, Sha256};

use super::partition::Partition;
use super::segment::{LOG_EXTENSION, Segment, read_batch, remove_seal, sealed_producers, sync_folder};

/// Keys remembered in one pass, about 50 bytes each. When a log has more, the pass ends early and the next one goes on.
const MAX_KEYS: usize = 500_000;
/// A deletion marker stays this long after its segment was written, so that every consumer gets to see it.
const TOMBSTONE_AGE: Duration = Duration::from_hours(24);
/// An output is closed when it is at least this large.
const OUTPUT_BYTES: u64 = 8 * 1024 * 1024;

/// Last offset of each key, by the first half of the key's SHA-256.
type Newest = HashMap<[u8; 16], i64>;

/// A sealed segment, looked at without the log's lock.
#[derive(Debug)]
struct Input {
    base_offset: i64,
    next_offset: i64,
    size_bytes: u64,
    file: Arc<File>,
    path: PathBuf,
}

/// Compacts the sealed segments when those written since `compacted_to` are at least as large as those before, so that
/// every byte is rewritten a bounded number of times. Returns the offset up to which the log is compacted now.
///
/// # Errors
/// When a file cannot be read, written or replaced; the log then stays readable as it was.
pub(super) fn compact(partition: &Partition, compacted_to: i64, now: SystemTime) -> io::Result<i64> {
    let inputs: Vec<Input> = partition.log().sealed().iter().map(Input::from).collect();
    let (clean, dirty): (Vec<&Input>, Vec<&Input>) = inputs.iter().partition(|input| input.base_offset < compacted_to);
    let size = |inputs: &[&Input]| inputs.iter().map(|input| input.size_bytes).sum::<u64>();
    if dirty.is_empty() || size(&dirty) < size(&clean) {
        return Ok(compacted_to);
    }
    let mut newest = Newest::new();
    let mut end = compacted_to;
    for input in dirty {
        if newest.len() >= MAX_KEYS {
            break;
        }
        input.note_keys(&mut newest)?;
        end = input.next_offset;
    }
    let mut covered: Vec<&Input> = Vec::new();
    let mut output = Vec::new();
    for input in inputs.iter().filter(|input| input.next_offset <= end) {
        input.copy_newest(&newest, now, &mut output)?;
        covered.push(input);
        if u64::try_from(output.len()).is_ok_and(|size| size >= OUTPUT_BYTES) {
            replace(partition, &covered, &output)?;
            covered.clear();
            output.clear();
        }
    }
    if !covered.is_empty() {
        replace(partition, &covered, &output)?;
    }
    Ok(end)
}

/// Puts `output` in the place of the segments it was made from.
fn replace(partition: &Partition, covered: &[&Input], output: &[u8]) -> io::Result<()> {
    let (first, last) = (covered[0], covered[covered.len() - 1]);
    let size_before: u64 = covered.iter().map(|input| input.size_bytes).sum();
    if covered.len() == 1 && u64::try_from(output.len()).is_ok_and(|size| size == size_before) {
        return Ok(());
    }
    let producers = sealed_producers(&last.path).unwrap_or_default();
    let written_at = last.file.metadata()?.modified()?;
    let temporary = first.path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary)?;
    file.write_all(output)?;
    file.set_times(FileTimes::new().set_modified(written_at))?;
    file.sync_all()?;
    remove_seal(&first.path)?;
    let path = first.path.with_extension(LOG_EXTENSION);
    fs::rename(&temporary, &path)?;
    if let Some(folder) = path.parent() {
        sync_folder(folder)?;
    }
    let segment = Segment::open(&path, first.base_offset, &mut producers.clone())?;
    segment.seal(&producers)?;
    partition.log().replace(segment, last.next_offset);
    for input in &covered[1..] {
        remove_seal(&input.path)?;
        fs::remove_file(&input.path)?;
    }
    Ok(())
}

impl From<&Segment> for Input {
    fn from(segment: &Segment) -> Self {
        Self {
            base_offset: segment.base_offset,
            next_offset: segment.next_offset,
            size_bytes: segment.size_bytes,
            file: Arc::clone(&segment.file),
            path: segment.path.clone(),
        }
    }
}

impl Input {
    fn note_keys(&self, newest: &mut Newest) -> io::Result<()> {
        self.for_each_batch(|batch, _| {
            for record in decode(&batch)? {
                if let Some(key) = &record.key {
                    newest.insert(fingerprint(key), record.offset);
                }
            }
            Ok(())
        })
    }

    fn copy_newest(&self, newest: &Newest, now: SystemTime, output: &mut Vec<u8>) -> io::Result<()> {
        let written_at = self.file.metadata()?.modified()?;
        let may_drop_tombstones = now.duration_since(written_at).is_ok_and(|age| age > TOMBSTONE_AGE);
        self.for_each_batch(|batch, is_last| {
            let mut records = decode(&batch)?;
            let n_before = records.len();
            let last_offset = records.last().map(|record| record.offset);
            records.retain(|record| {
                let is_outdated = record
                    .key
                    .as_ref()
                    .and_then(|key| newest.get(&fingerprint(key)))
                    .is_some_and(|newest| *newest > record.offset);
                let is_old_tombstone = record.value.is_none() && may_drop_tombstones;
                (is_last && Some(record.offset) == last_offset) || !(is_outdated || is_old_tombstone)
            });
            if records.len() == n_before {
                output.extend_from_slice(&batch);
            } else if !records.is_empty() {
                output.extend_from_slice(&encode(&records, &batch)?);
            }
            Ok(())
        })
    }

    fn for_each_batch(&self, mut visit: impl FnMut(Bytes, bool) -> io::Result<()>) -> io::Result<()> {
        let mut position = 0;
        while let Some((header, batch)) = read_batch(&self.file, position, self.size_bytes)? {
            position += u64::try_from(header.size_bytes).map_err(io::Error::other)?;
            visit(batch, position == self.size_bytes)?;
        }
        if position == self.size_bytes {
            return Ok(());
        }
        let reason = format!("{} is damaged at byte {position}, so it is not compacted", self.path.display());
        Err(io::Error::new(io::ErrorKind::InvalidData, reason))
    }
}

fn fingerprint(key: &[u8]) -> [u8; 16] {
    let digest = Sha256::digest(key);
    std::array::from_fn(|at| digest[at])
}

fn decode(batch: &Bytes) -> io::Result<Vec<Record>> {
    let set = RecordBatchDecoder::decode(&mut batch.clone());
    Ok(set.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?.records)
}

/// Encodes what is left of `original`, compressed as it was.
fn encode(records: &[Record], original: &Bytes) -> io::Result<BytesMut> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    let batches = RecordBatchDecoder::decode_batch_info(&mut original.clone()).map_err(invalid)?;
    let compression = batches.first().map_or(Compression::None, |batch| batch.compression);
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode(&mut bytes, records, &RecordEncodeOptions { version: 2, compression })
        .map_err(invalid)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;

//! Compaction: of all records with the same key, only the last one stays.
//!
//! Works on sealed segments only and keeps offsets, so consumers notice nothing but gaps. Several inputs become one output
//! file that takes the place of the first; after a crash, whatever an output covers is removed at the next start. The last
//! record of every input stays, so that the log has no end that cannot be read; when it is outdated it stays without its
//! value, so that it cannot come back to life when what outdated it has gone. A batch whose records cannot be read stays
//! as it is.

use std::collections::HashMap;
use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::batch::BatchHeader;
use super::partition::Partition;
use super::producers::Producers;
use super::records::{Record, read_records, rewrite};
use super::segment::{COMPACTING_EXTENSION, Place, Segment, damaged, read_batch, sealed_producers, sync_folder};

/// Keys remembered in one pass, about 50 bytes each. When a log has more, the pass ends early and the next one goes on.
const MAX_KEYS: usize = 500_000;
/// A deletion marker stays this long after its segment was written, so that every consumer gets to see it.
const TOMBSTONE_AGE: Duration = Duration::from_hours(24);
/// An output is closed when it is at least this large.
const OUTPUT_BYTES: u64 = 8 * 1024 * 1024;

/// Last offset of each key, by the first half of the key's SHA-256.
type Newest = HashMap<[u8; 16], i64>;

/// A sealed segment, looked at without the log's lock. Nobody else replaces or removes segments meanwhile: compaction and
/// retention are done by one task.
#[derive(Debug)]
struct Input {
    base_offset: i64,
    next_offset: i64,
    size_bytes: u64,
    is_compacted: bool,
    path: PathBuf,
}

/// Compacts the sealed segments when those that no pass has covered are at least as large as those before, so that every
/// byte is rewritten a bounded number of times.
///
/// # Errors
/// When a file cannot be read, written or replaced; the log then stays readable as it was.
pub(super) fn compact(partition: &Partition, now: SystemTime) -> io::Result<()> {
    let inputs: Vec<Input> = partition.log().sealed().iter().map(Input::from).collect();
    let n_clean = inputs.iter().rposition(|input| input.is_compacted).map_or(0, |last| last + 1);
    let (clean, dirty) = inputs.split_at(n_clean);
    let size = |inputs: &[Input]| inputs.iter().map(|input| input.size_bytes).sum::<u64>();
    if dirty.is_empty() || size(dirty) < size(clean) {
        return Ok(());
    }
    let mut newest = Newest::new();
    let mut n_covered = n_clean;
    for input in dirty {
        if newest.len() >= MAX_KEYS {
            break;
        }
        input.note_keys(&mut newest)?;
        n_covered += 1;
    }
    let mut covered: Vec<&Input> = Vec::new();
    let mut output = Vec::new();
    for (nth, input) in (1..).zip(&inputs[..n_covered]) {
        input.copy_newest(&newest, now, &mut output)?;
        covered.push(input);
        if nth == n_covered || u64::try_from(output.len()).is_ok_and(|size| size >= OUTPUT_BYTES) {
            replace(partition, &covered, &output)?;
            covered.clear();
            output.clear();
        }
    }
    Ok(())
}

/// Puts `output` in the place of the segments it was made from.
fn replace(partition: &Partition, covered: &[&Input], output: &[u8]) -> io::Result<()> {
    let (first, last) = (covered[0], covered[covered.len() - 1]);
    let size_before: u64 = covered.iter().map(|input| input.size_bytes).sum();
    let is_unchanged = covered.len() == 1 && u64::try_from(output.len()).is_ok_and(|size| size == size_before);
    if is_unchanged && first.is_compacted {
        return Ok(());
    }
    let Some(producers) = sealed_producers(&last.path) else {
        return Err(io::Error::other(format!("{} has no seal, so it is not compacted yet", last.path.display())));
    };
    let place = Place { base_offset: first.base_offset, next_base: Some(last.next_offset) };
    if is_unchanged {
        let mut segment = Segment::open(&first.path, place, &mut Producers::default())?;
        segment.is_compacted = true;
        segment.seal(&producers)?;
        partition.log().replace(segment, first.next_offset);
        return Ok(());
    }
    let temporary = first.path.with_extension(COMPACTING_EXTENSION);
    let mut file = File::create(&temporary)?;
    file.write_all(output)?;
    file.set_times(FileTimes::new().set_modified(fs::metadata(&last.path)?.modified()?))?;
    let mut segment = Segment::read(&temporary, place, &mut Producers::default())?;
    segment.path.clone_from(&first.path);
    segment.is_compacted = true;
    // Before the file it describes, because it alone knows the producers whose batches are gone. Should the process die
    // in between, it does not fit the old file and is not believed.
    segment.seal(&producers)?;
    {
        // Under the lock: whoever plans a read opens the file by its name and reads it by the segment's index.
        let mut log = partition.log();
        fs::rename(&temporary, &first.path)?;
        log.replace(segment, last.next_offset);
    }
    if let Some(folder) = first.path.parent() {
        sync_folder(folder)?;
    }
    covered[1..].iter().try_for_each(|input| Segment::delete_files(&input.path))
}

impl From<&Segment> for Input {
    fn from(segment: &Segment) -> Self {
        Self {
            base_offset: segment.base_offset,
            next_offset: segment.next_offset,
            size_bytes: segment.size_bytes,
            is_compacted: segment.is_compacted,
            path: segment.path.clone(),
        }
    }
}

impl Input {
    fn note_keys(&self, newest: &mut Newest) -> io::Result<()> {
        self.for_each_batch(|header, batch| {
            match read_records(&header, &batch) {
                Ok(records) => newest.extend(
                    records.iter().filter_map(|record| Some((fingerprint(record.key.as_ref()?), record.offset))),
                ),
                Err(error) => {
                    tracing::warn!(%error, segment = %self.path.display(), offset = header.base_offset, "a batch stays as it is");
                }
            }
            Ok(())
        })
    }

    fn copy_newest(&self, newest: &Newest, now: SystemTime, output: &mut Vec<u8>) -> io::Result<()> {
        let written_at = fs::metadata(&self.path)?.modified()?;
        let may_drop_tombstones = now.duration_since(written_at).is_ok_and(|age| age > TOMBSTONE_AGE);
        let is_outdated = |record: &Record| {
            let newest = record.key.as_ref().and_then(|key| newest.get(&fingerprint(key)));
            newest.is_some_and(|newest| *newest > record.offset)
        };
        self.for_each_batch(|header, batch| {
            let Ok(records) = read_records(&header, &batch) else {
                output.extend_from_slice(&batch);
                return Ok(());
            };
            let is_last = header.next_offset() == self.next_offset;
            let mut kept = Vec::with_capacity(records.len());
            for (nth, record) in records.iter().enumerate() {
                let is_end = is_last && nth + 1 == records.len();
                if is_end && is_outdated(record) {
                    kept.push(record.without_value());
                } else if is_end || !(is_outdated(record) || (!record.has_value && may_drop_tombstones)) {
                    kept.push(record.clone());
                }
            }
            if kept == records {
                output.extend_from_slice(&batch);
            } else if !kept.is_empty() {
                output.extend_from_slice(&rewrite(&header, &batch, &kept)?);
            }
            Ok(())
        })
    }

    fn for_each_batch(&self, mut visit: impl FnMut(BatchHeader, Bytes) -> io::Result<()>) -> io::Result<()> {
        let file = File::open(&self.path)?;
        let mut position = 0;
        while position < self.size_bytes {
            let batch = read_batch(&file, position, self.size_bytes)?;
            let (header, batch) = batch.ok_or_else(|| damaged(&self.path, position))?;
            position += u64::try_from(header.size_bytes).map_err(io::Error::other)?;
            visit(header, batch)?;
        }
        Ok(())
    }
}

fn fingerprint(key: &[u8]) -> [u8; 16] {
    let digest = Sha256::digest(key);
    std::array::from_fn(|at| digest[at])
}

#[cfg(test)]
mod tests;

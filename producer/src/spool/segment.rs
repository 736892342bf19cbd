//! What a segment of the spool looks like, byte by byte. Pure: bytes in, entries and damage out.
//!
//! ```text
//! segment   magic "opspool" (7) │ version, 1 (1) │ checksum of the 8 bytes before (4) │ entry │ entry │ …
//! entry     marker F8 FF FE F9 (4) │ length of key (4) │ length of value (4) │ checksum of both lengths (4)
//!           │ checksum of key and value (4) │ key │ value
//! ```
//!
//! Numbers are little-endian, checksums are CRC-32C. Key and value are those of the topic's record.
//!
//! A segment is only appended to. What is damaged in it costs the entries it lies in and no others: the reader goes on at
//! the next marker whose lengths and content agree with their checksums. No byte of the marker occurs in UTF-8, so no text
//! of an operation, not even a copy of a segment in a prompt, can pass for an entry. Lengths are believed only after their
//! checksum, and only within the bytes that are there: nothing is allocated for them.
//!
//! A process that ends while it writes leaves the beginning of an entry behind, a machine that loses power perhaps
//! zeros. That is the normal end of a segment and no damage: [`SegmentDamage::torn_bytes`] counts it apart.

use crate::record::Record;

/// First bytes of a segment, before its version.
const MAGIC: [u8; 7] = *b"opspool";
/// The version that this file describes.
const VERSION: u8 = 1;
/// Magic, version and their checksum.
pub(crate) const HEADER_BYTES: usize = 12;
/// Begins an entry.
const MARKER: [u8; 4] = [0xF8, 0xFF, 0xFE, 0xF9];
/// What an entry has beside its key and value.
pub(crate) const ENTRY_OVERHEAD_BYTES: usize = 20;

/// Entries in a buffer: those of a segment that was read, or those that are about to be written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Entries {
    bytes: Vec<u8>,
    places: Vec<Place>,
}

/// Where an entry's key begins, and how long key and value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    key_at: usize,
    key_length: usize,
    value_length: usize,
}

/// What of a segment is no entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SegmentDamage {
    /// Runs of damaged bytes in which entries may have been. Neighbouring damaged entries are one run.
    pub(crate) places: u64,
    /// Damaged bytes, those of a damaged header included.
    pub(crate) bytes: u64,
    /// Bytes of a last entry that was never written to its end.
    pub(crate) torn_bytes: u64,
}

/// A segment as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Segment {
    /// Everything that is intact, in the order of writing.
    Read(Entries, SegmentDamage),
    /// A later version of opstream wrote it; only that one can read it.
    Newer {
        /// The version that it says.
        version: u8,
    },
}

impl Entries {
    /// Appends an entry. False, and nothing is appended, when it is longer than 4 GiB.
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) -> bool {
        let (Ok(key_length), Ok(value_length)) = (u32::try_from(key.len()), u32::try_from(value.len())) else {
            return false;
        };
        let lengths = encoded_lengths(key_length, value_length);
        self.bytes.extend_from_slice(&MARKER);
        self.bytes.extend_from_slice(&lengths);
        self.bytes.extend_from_slice(&crc32c::crc32c(&lengths).to_le_bytes());
        self.bytes.extend_from_slice(&content_checksum(key, value).to_le_bytes());
        self.places.push(Place { key_at: self.bytes.len(), key_length: key.len(), value_length: value.len() });
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        true
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Key and value of each, in the order of writing.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (0..self.len()).filter_map(|index| self.record(index)).map(|record| (record.key, record.value))
    }

    /// The buffer: what a file gets, or what a file had.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The record at this index.
    pub(crate) fn record(&self, index: usize) -> Option<Record<'_>> {
        let Place { key_at, key_length, value_length } = *self.places.get(index)?;
        let value_at = key_at + key_length;
        Some(Record { key: &self.bytes[key_at..value_at], value: &self.bytes[value_at..value_at + value_length] })
    }

    /// Empties the buffer and keeps at most so much of its memory.
    pub(crate) fn clear(&mut self, kept_bytes: usize) {
        self.bytes.clear();
        self.bytes.shrink_to(kept_bytes);
        self.places.clear();
        self.places.shrink_to(kept_bytes / size_of::<Place>());
    }
}

/// The first bytes of every segment.
pub(crate) fn header() -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..7].copy_from_slice(&MAGIC);
    header[7] = VERSION;
    let checksum = crc32c::crc32c(&header[..8]);
    header[8..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Reads a whole segment. Never fails: what cannot be read is damage.
pub(crate) fn read_segment(bytes: Vec<u8>) -> Segment {
    let mut position = 0;
    if let Some(version) = version_of(&bytes) {
        if version != VERSION {
            return Segment::Newer { version };
        }
        position = HEADER_BYTES;
    }
    let mut places = Vec::new();
    let mut damage = SegmentDamage::default();
    let mut damaged_from = None;
    while position < bytes.len() {
        if let Some(place) = entry_at(&bytes, position) {
            if let Some(from) = damaged_from.take() {
                damage.add(from, position);
            }
            position = place.key_at + place.key_length + place.value_length;
            places.push(place);
        } else {
            damaged_from.get_or_insert(position);
            position = next_marker(&bytes, position + 1);
        }
    }
    match damaged_from {
        Some(from) if is_unfinished(&bytes, from) => damage.torn_bytes = count(bytes.len() - from),
        Some(from) => damage.add(from, bytes.len()),
        None => {}
    }
    Segment::Read(Entries { bytes, places }, damage)
}

impl SegmentDamage {
    /// Adds the run `[from, to)`. One that is just the header had no entries in it.
    fn add(&mut self, from: usize, to: usize) {
        self.bytes += count(to - from);
        self.places += u64::from((from, to) != (0, HEADER_BYTES));
    }
}

fn encoded_lengths(key_length: u32, value_length: u32) -> [u8; 8] {
    let mut lengths = [0; 8];
    lengths[..4].copy_from_slice(&key_length.to_le_bytes());
    lengths[4..].copy_from_slice(&value_length.to_le_bytes());
    lengths
}

fn content_checksum(key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(key), value)
}

/// The version in an intact header.
fn version_of(bytes: &[u8]) -> Option<u8> {
    let intact = bytes.starts_with(&MAGIC) && word_at(bytes, 8)? == crc32c::crc32c(&bytes[..8]);
    intact.then(|| bytes[7])
}

/// The intact entry that begins here.
fn entry_at(bytes: &[u8], at: usize) -> Option<Place> {
    let place = announced_at(bytes, at)?;
    let content =
        bytes.get(place.key_at..place.key_at.checked_add(place.key_length)?.checked_add(place.value_length)?)?;
    (word_at(bytes, at + 16)? == crc32c::crc32c(content)).then_some(place)
}

/// The place of an entry whose marker and lengths are intact; its content may be damaged, or not there at all.
fn announced_at(bytes: &[u8], at: usize) -> Option<Place> {
    let head = bytes.get(at..)?.get(..ENTRY_OVERHEAD_BYTES)?;
    if !head.starts_with(&MARKER) || word_at(head, 12)? != crc32c::crc32c(&head[4..12]) {
        return None;
    }
    let length = |at| word_at(head, at).and_then(|length| usize::try_from(length).ok());
    Some(Place { key_at: at + ENTRY_OVERHEAD_BYTES, key_length: length(4)?, value_length: length(8)? })
}

/// Whether everything from here is what a write leaves behind that did not come to its end.
fn is_unfinished(bytes: &[u8], from: usize) -> bool {
    let rest = &bytes[from..];
    if from == 0 && header().starts_with(rest) || rest.iter().all(|byte| *byte == 0) {
        return true;
    }
    if rest.len() < ENTRY_OVERHEAD_BYTES {
        let marker = &rest[..rest.len().min(MARKER.len())];
        return MARKER.starts_with(marker);
    }
    announced_at(bytes, from).is_some_and(|place| {
        let content = place.key_length.checked_add(place.value_length);
        content.is_none_or(|content| content > rest.len() - ENTRY_OVERHEAD_BYTES)
    })
}

/// Where the next marker begins; the end when there is none.
fn next_marker(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    rest.windows(MARKER.len()).position(|window| window == MARKER).map_or(bytes.len(), |at| from + at)
}

fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

//! The records inside a batch: what compaction and the check of a compacted topic's batches need to know about them.
//!
//! In: a batch whose header fits, from anybody. Out: where each record stands, its key, whether it has a value; and a batch
//! with fewer records. Nothing that the bytes claim is believed: unpacking stops at a limit, and memory is taken only for
//! what is really there. A rewritten batch keeps its offsets, its times and its producer.

use std::io::{self, Read};

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::compression::{Compressor, Gzip, Lz4, Snappy, Zstd};

use super::batch::{BatchHeader, Compression, HEADER_BYTES, complete_batch};

/// The most that the records of one batch may take when unpacked.
const MOST_UNPACKED_BYTES: usize = 64 * 1024 * 1024;
/// Marks Snappy as Java writes it: blocks, each with its length.
const SNAPPY_BLOCKS: &[u8; 16] = b"\x82SNAPPY\x00\x00\x00\x00\x01\x00\x00\x00\x01";
/// Zstandard's window, as a power of two: what no compressor exceeds unless it is asked to.
const ZSTD_WINDOW: u32 = 25;

/// A record, as much as is needed of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) offset: i64,
    pub(super) key: Option<Bytes>,
    pub(super) has_value: bool,
    /// What stands before the key: attributes, and time and offset relative to the batch.
    head: Bytes,
    /// What follows the value: the headers.
    headers: Bytes,
    /// The whole record, its length included.
    bytes: Bytes,
}

/// The records cannot be unpacked or are not records: the batch is refused, or left as it is.
#[derive(Debug, thiserror::Error)]
#[error("records cannot be read: {0}")]
pub(super) struct UnreadableRecords(String);

/// The records of a batch.
///
/// # Errors
/// When they are damaged, or larger than 64 MiB.
pub(super) fn read_records(header: &BatchHeader, batch: &Bytes) -> Result<Vec<Record>, UnreadableRecords> {
    let unreadable = |reason: &str| UnreadableRecords(reason.to_owned());
    let packed = batch.get(HEADER_BYTES..header.size_bytes).ok_or_else(|| unreadable("batch is not whole"))?;
    let unpacked = match header.compression() {
        Some(Compression::None) => batch.slice(HEADER_BYTES..header.size_bytes),
        Some(compression) => unpack(compression, packed).map_err(|error| UnreadableRecords(error.to_string()))?,
        None => return Err(unreadable("unknown compression")),
    };
    let mut cursor = Cursor(unpacked);
    let mut records = Vec::new();
    for _ in 0..header.n_records {
        records.push(cursor.record(header.base_offset).ok_or_else(|| unreadable("a record is damaged"))?);
    }
    if cursor.0.is_empty() { Ok(records) } else { Err(unreadable("bytes follow the last record")) }
}

/// The same batch with only these of its records.
///
/// # Errors
/// When they cannot be compressed.
pub(super) fn rewrite(header: &BatchHeader, batch: &Bytes, kept: &[Record]) -> io::Result<BytesMut> {
    let mut records = BytesMut::new();
    for record in kept {
        records.extend_from_slice(&record.bytes);
    }
    let mut rewritten = BytesMut::from(&batch[..HEADER_BYTES]);
    let outcome = match header.compression() {
        Some(Compression::Gzip) => Gzip::compress(&mut rewritten, |out: &mut BytesMut| append(out, &records)),
        Some(Compression::Lz4) => Lz4::compress(&mut rewritten, |out: &mut BytesMut| append(out, &records)),
        Some(Compression::Snappy) => Snappy::compress(&mut rewritten, |out: &mut BytesMut| append(out, &records)),
        Some(Compression::Zstd) => Zstd::compress(&mut rewritten, |out: &mut BytesMut| append(out, &records)),
        Some(Compression::None) | None => append(&mut rewritten, &records),
    };
    outcome.map_err(io::Error::other)?;
    complete_batch(&mut rewritten, kept.len()).ok_or_else(|| io::Error::other("batch is too large"))?;
    Ok(rewritten)
}

#[expect(clippy::unnecessary_wraps, reason = "the compressors expect a closure that may fail")]
fn append(out: &mut BytesMut, records: &[u8]) -> anyhow::Result<()> {
    out.extend_from_slice(records);
    Ok(())
}

impl Record {
    /// The record without its value: it says that what its key had before is gone.
    pub(super) fn without_value(&self) -> Self {
        let mut body = BytesMut::from(&self.head[..]);
        put_number(&mut body, self.key.as_ref().map_or(-1, |key| signed(key.len())));
        body.extend_from_slice(self.key.as_deref().unwrap_or_default());
        put_number(&mut body, -1);
        body.extend_from_slice(&self.headers);
        let mut bytes = BytesMut::new();
        put_number(&mut bytes, signed(body.len()));
        bytes.extend_from_slice(&body);
        Self { has_value: false, bytes: bytes.freeze(), ..self.clone() }
    }
}

fn unpack(compression: Compression, packed: &[u8]) -> io::Result<Bytes> {
    match compression {
        Compression::None => Ok(Bytes::copy_from_slice(packed)),
        Compression::Gzip => read_capped(flate2::read::MultiGzDecoder::new(packed)),
        Compression::Lz4 => read_capped(lz4::Decoder::new(packed)?),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(packed)?;
            decoder.window_log_max(ZSTD_WINDOW)?;
            read_capped(decoder)
        }
        Compression::Snappy => unpack_snappy(packed),
    }
}

fn too_large() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("they are larger than {MOST_UNPACKED_BYTES} bytes"))
}

fn read_capped(packed: impl Read) -> io::Result<Bytes> {
    let mut unpacked = Vec::new();
    let limit = u64::try_from(MOST_UNPACKED_BYTES).map_err(io::Error::other)?;
    packed.take(limit + 1).read_to_end(&mut unpacked)?;
    if unpacked.len() > MOST_UNPACKED_BYTES { Err(too_large()) } else { Ok(unpacked.into()) }
}

fn unpack_snappy(packed: &[u8]) -> io::Result<Bytes> {
    let mut unpacked = Vec::new();
    let Some(mut blocks) = packed.strip_prefix(SNAPPY_BLOCKS) else {
        unpack_snappy_block(packed, &mut unpacked)?;
        return Ok(unpacked.into());
    };
    while let Some((length, rest)) = blocks.split_first_chunk() {
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(io::Error::other)?;
        let (block, rest) = rest.split_at_checked(length).ok_or(io::ErrorKind::UnexpectedEof)?;
        unpack_snappy_block(block, &mut unpacked)?;
        blocks = rest;
    }
    if blocks.is_empty() { Ok(unpacked.into()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

fn unpack_snappy_block(block: &[u8], unpacked: &mut Vec<u8>) -> io::Result<()> {
    let at = unpacked.len();
    let length = snap::raw::decompress_len(block)?;
    // A byte of Snappy stands for at most 64, so a larger length is a lie.
    if at + length > MOST_UNPACKED_BYTES || length / 64 > block.len() {
        return Err(too_large());
    }
    unpacked.resize(at + length, 0);
    snap::raw::Decoder::new().decompress(block, &mut unpacked[at..])?;
    Ok(())
}

/// Unpacked records, read from the front. Every method is `None` when the bytes are not what they should be.
struct Cursor(Bytes);

impl Cursor {
    fn record(&mut self, base_offset: i64) -> Option<Record> {
        let mut ahead = Self(self.0.clone());
        let length = ahead.length()?;
        let mut body = Self(ahead.take(length)?);
        let whole = self.take(self.0.len() - ahead.0.len())?;
        let start = body.0.clone();
        body.take(1)?;
        body.number(10)?;
        let offset = base_offset.checked_add(body.number(5)?)?;
        let head = start.slice(..start.len() - body.0.len());
        let key = body.optional_bytes()?;
        let has_value = body.optional_bytes()?.is_some();
        let headers = body.0.clone();
        for _ in 0..body.length()? {
            let length = body.length()?;
            body.take(length)?;
            body.optional_bytes()?;
        }
        body.0.is_empty().then_some(Record { offset, key, has_value, head, headers, bytes: whole })
    }

    /// Bytes after their length; −1 stands for none.
    #[expect(clippy::option_option, reason = "the outer one is the failure, the inner one the value")]
    fn optional_bytes(&mut self) -> Option<Option<Bytes>> {
        match self.number(5)? {
            -1 => Some(None),
            length => self.take(usize::try_from(length).ok()?).map(Some),
        }
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(self.number(5)?).ok()
    }

    /// A signed number of at most so many bytes, seven bits each, the lowest first, the sign in the lowest bit.
    fn number(&mut self, n_bytes: u32) -> Option<i64> {
        let mut value = 0u64;
        for nth in 0..n_bytes {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << (7 * nth);
            if byte < 0x80 {
                return Some((value >> 1).cast_signed() ^ -(value & 1).cast_signed());
            }
        }
        None
    }

    fn take(&mut self, n_bytes: usize) -> Option<Bytes> {
        (n_bytes <= self.0.len()).then(|| self.0.split_to(n_bytes))
    }
}

fn put_number(out: &mut BytesMut, number: i64) {
    let mut value = ((number << 1) ^ (number >> 63)).cast_unsigned();
    while value >= 0x80 {
        out.put_u8(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.put_u8(value.to_le_bytes()[0]);
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).expect("a size in memory fits in 63 bits")
}

#[cfg(test)]
mod tests;

//! The bytes of a sketch: a version, then per bucket its distance from the one before and its count, as varints.
//!
//! An empty sketch is no bytes at all. Each sketch has exactly one form, so equal bytes are equal sketches.

use super::{Bucket, Sketch};

/// First byte of a sketch that is not empty.
const VERSION: u8 = 1;
/// A 64-bit varint has at most ten groups of seven bits.
const LAST_SHIFT: u32 = 63;

/// Bytes that are no sketch.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SketchBytesError {
    /// Written by a later version.
    #[error("sketch has version {version}, this program reads version 1")]
    UnknownVersion {
        /// The first byte.
        version: u8,
    },
    /// Not what the version allows.
    #[error("sketch is damaged at byte {position}: {reason}")]
    Damaged {
        /// Where reading stopped.
        position: usize,
        /// What is wrong.
        reason: &'static str,
    },
}

impl Sketch {
    /// The bytes, two or three per bucket.
    pub fn to_bytes(&self) -> Vec<u8> {
        if self.counts.is_empty() {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(1 + 3 * self.counts.len());
        out.push(VERSION);
        let mut next = 0;
        for (bucket, count) in &self.counts {
            put_varint(&mut out, u64::from(bucket.number() - next));
            put_varint(&mut out, *count);
            next = bucket.number() + 1;
        }
        out
    }

    /// Reads bytes from anywhere.
    ///
    /// # Errors
    /// When they are not exactly what [`Sketch::to_bytes`] writes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SketchBytesError> {
        match bytes.first() {
            None => return Ok(Self::default()),
            Some(&VERSION) => {}
            Some(&version) => return Err(SketchBytesError::UnknownVersion { version }),
        }
        let mut reader = Reader { bytes, position: 1 };
        let mut counts = Vec::with_capacity(bytes.len() / 2);
        let (mut next, mut total) = (0_u64, 0_u64);
        while reader.position < bytes.len() {
            let gap = reader.varint()?;
            let bucket =
                next.checked_add(gap).and_then(Bucket::from_number).ok_or_else(|| reader.damaged("no such bucket"))?;
            let count = reader.varint()?;
            if count == 0 {
                return Err(reader.damaged("a bucket without values"));
            }
            total = total.checked_add(count).ok_or_else(|| reader.damaged("more values than 64 bits count"))?;
            counts.push((bucket, count));
            next = u64::from(bucket.number()) + 1;
        }
        if counts.is_empty() {
            return Err(reader.damaged("a version without buckets"));
        }
        Ok(Self { counts })
    }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl Reader<'_> {
    fn varint(&mut self) -> Result<u64, SketchBytesError> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let Some(byte) = self.bytes.get(self.position).copied() else {
                return Err(self.damaged("it ends within a number"));
            };
            self.position += 1;
            if shift == LAST_SHIFT && byte > 1 {
                return Err(self.damaged("a number beyond 64 bits"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // Only 0 itself may end in a zero byte: a longer form of a number would be a second form of the sketch.
                return if byte == 0 && shift > 0 {
                    Err(self.damaged("a number in a longer form than needed"))
                } else {
                    Ok(value)
                };
            }
            shift += 7;
        }
    }

    const fn damaged(&self, reason: &'static str) -> SketchBytesError {
        SketchBytesError::Damaged { position: self.position, reason }
    }
}

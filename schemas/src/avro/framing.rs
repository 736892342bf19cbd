//! Confluent's framing: a zero byte, the schema id as four big-endian bytes, then the Avro datum.

use std::fmt;

/// Bytes before the datum.
pub const FRAME_LENGTH: usize = 5;
const MAGIC: u8 = 0;

/// Id of a schema in a registry or in our built-in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SchemaId(pub u32);

/// A record value taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Framed<'a> {
    /// Schema that the datum was written with.
    pub schema_id: SchemaId,
    /// Avro binary datum.
    pub datum: &'a [u8],
}

/// Bytes that are not in Confluent framing.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FramingError {
    /// Fewer bytes than a frame has.
    #[error("value of {length} bytes is too short for Confluent framing, which starts with 5 bytes")]
    TooShort {
        /// Bytes of the value.
        length: usize,
    },
    /// Another first byte.
    #[error("value starts with byte {found:#04x}, Confluent framing starts with 0x00")]
    WrongMagic {
        /// The first byte.
        found: u8,
    },
}

/// Takes a record value apart without copying.
///
/// # Errors
/// When the value is shorter than a frame or starts with another byte.
pub fn split_frame(value: &[u8]) -> Result<Framed<'_>, FramingError> {
    let Some((frame, datum)) = value.split_at_checked(FRAME_LENGTH) else {
        return Err(FramingError::TooShort { length: value.len() });
    };
    if frame[0] != MAGIC {
        return Err(FramingError::WrongMagic { found: frame[0] });
    }
    let schema_id = SchemaId(u32::from_be_bytes([frame[1], frame[2], frame[3], frame[4]]));
    Ok(Framed { schema_id, datum })
}

/// Starts a record value: the datum is appended behind it.
pub(super) fn put_frame(out: &mut Vec<u8>, schema_id: SchemaId) {
    out.push(MAGIC);
    out.extend_from_slice(&schema_id.0.to_be_bytes());
}

impl fmt::Display for SchemaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

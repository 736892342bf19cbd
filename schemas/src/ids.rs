//! Operation ids: 128 bits in UUIDv7 layout, whose first 48 bits are the one time of the operation.
//!
//! An id is minted once, when the operation starts, and only a re-send of the same record keeps it. Ids of records
//! that bring their own identity (a ULID, a span, a line of a file) are derived: their time is kept and the other bits
//! are a hash that includes the workspace, so that two tenants can never collide.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::time::UtcMillis;

/// Largest time that 48 bits of milliseconds hold (year 10889).
const MAX_MILLIS: i64 = (1 << 48) - 1;

/// Identity of one operation. Orders by time first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OperationId([u8; 16]);

impl OperationId {
    /// Lowest id.
    pub const MIN: Self = Self([0; 16]);
    /// Highest id.
    pub const MAX: Self = Self([0xff; 16]);

    /// Builds an id from its time and 74 random bits. Times outside 1970..10889 are held at the ends.
    pub fn mint(at: UtcMillis, random: [u8; 10]) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&time_bytes(at));
        bytes[6..].copy_from_slice(&random);
        Self::with_version(bytes)
    }

    /// A new id for an operation that starts at `at`, from the thread's random generator.
    pub fn generate(at: UtcMillis) -> Self {
        let mut random = [0; 10];
        // A v4 UUID is the ready source of random bits; its own version bits are overwritten by ours.
        let entropy = Uuid::new_v4();
        random.copy_from_slice(&entropy.as_bytes()[..10]);
        // Bytes 6 and 8 of a v4 UUID hold version and variant: replace them by its other random bytes.
        random[6] = entropy.as_bytes()[10];
        random[8] = entropy.as_bytes()[11];
        Self::mint(at, random)
    }

    /// The id of a record that has an identity of its own: `at` is kept, the rest hashes every part.
    ///
    /// The parts are length-prefixed, so `["ab", "c"]` and `["a", "bc"]` differ. The first part is the workspace.
    pub fn derive(at: UtcMillis, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut random = [0; 10];
        random.copy_from_slice(&digest[..10]);
        Self::mint(at, random)
    }

    /// The lowest id of this millisecond: the boundary of id ranges that stand for time ranges.
    pub fn lowest_at(at: UtcMillis) -> Self {
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&time_bytes(at));
        Self(bytes)
    }

    /// The id's time, milliseconds.
    pub fn time(self) -> UtcMillis {
        let mut wide = [0; 8];
        wide[2..].copy_from_slice(&self.0[..6]);
        UtcMillis::from_millis(i64::from_be_bytes(wide))
    }

    /// The 16 bytes, big-endian.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// Takes 16 bytes as they are; the writer of a stored id already checked them.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Whether version and variant bits are those of a UUIDv7.
    pub const fn is_version_7(self) -> bool {
        self.0[6] >> 4 == 7 && self.0[8] >> 6 == 0b10
    }

    fn with_version(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }
}

fn time_bytes(at: UtcMillis) -> [u8; 6] {
    let wide = at.millis().clamp(0, MAX_MILLIS).to_be_bytes();
    let mut bytes = [0; 6];
    bytes.copy_from_slice(&wide[2..]);
    bytes
}

/// Text that is no operation id.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum IdError {
    /// Neither UUID text.
    #[error("{text:?} is not an operation id; expected a UUIDv7 such as 01936f7e-2b1a-7c3d-9e4f-5a6b7c8d9e0f")]
    NotUuid {
        /// The first characters of the text.
        text: String,
    },
    /// A UUID whose first bits are no time.
    #[error("{text} is a UUID of version {version}; an operation id is a UUIDv7, whose first 48 bits are its time")]
    NotVersion7 {
        /// The UUID.
        text: String,
        /// Its version number.
        version: usize,
    },
}

impl FromStr for OperationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let uuid = Uuid::try_parse(text).map_err(|_| IdError::NotUuid { text: text.chars().take(64).collect() })?;
        let id = Self(*uuid.as_bytes());
        if !id.is_version_7() {
            return Err(IdError::NotVersion7 { text: uuid.to_string(), version: uuid.get_version_num() });
        }
        Ok(id)
    }
}

impl fmt::Display for OperationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).as_hyphenated().fmt(f)
    }
}

impl Serialize for OperationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for OperationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_its_millisecond_and_sorts_by_it() {
        let early = OperationId::generate(UtcMillis::from_millis(1_700_000_000_000));
        let late = OperationId::generate(UtcMillis::from_millis(1_700_000_000_001));
        assert_eq!(early.time().millis(), 1_700_000_000_000);
        assert!(early < late);
        assert!(early.is_version_7());
        assert_eq!(early.to_string().parse::<OperationId>(), Ok(early));
    }

    #[test]
    fn a_derived_id_is_stable_and_depends_on_the_workspace() {
        let at = UtcMillis::from_millis(1_700_000_000_000);
        let id = OperationId::derive(at, &[b"core", b"line 1"]);
        assert_eq!(id, OperationId::derive(at, &[b"core", b"line 1"]));
        assert_ne!(id, OperationId::derive(at, &[b"lab", b"line 1"]));
        assert_ne!(OperationId::derive(at, &[b"ab", b"c"]), OperationId::derive(at, &[b"a", b"bc"]));
    }

    #[test]
    fn a_uuid_of_another_version_is_refused_by_name() {
        let error = "9f1b2c3d-4e5f-4a6b-8c7d-0e1f2a3b4c5d".parse::<OperationId>().unwrap_err();
        assert!(error.to_string().contains("version 4"), "{error}");
    }
}

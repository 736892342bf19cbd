//! Which requests this broker takes, and what they look like: enough to count their elements before decoding them.
//!
//! The decoder reserves memory for as many elements as a request *claims* to have, so 30 bytes could ask for hundreds of
//! gigabytes and abort the process. Here the bytes are walked once without reserving anything: a request passes only if
//! everything it claims is there, and not too much of it. The decoder then reserves what the request really has.

use kafka_protocol::messages::ApiKey;

use Field::{Blob, Fixed, From, List, Structs, Text, UpTo};

/// Elements and tagged fields that one request may have. Decoded, each takes up to 200 bytes; answered, some kilobytes.
const MOST_ELEMENTS: usize = 20_000;

/// A kind of request.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) key: ApiKey,
    pub(super) lowest: i16,
    pub(super) highest: i16,
    /// From this version on lengths are variable and tagged fields may follow every structure.
    flexible_from: i16,
    fields: &'static [Field],
}

/// A part of a request.
#[derive(Debug)]
enum Field {
    /// So many bytes.
    Fixed(usize),
    /// A length, of 16 bits where it is not variable, and so many bytes.
    Text,
    /// A length, of 32 bits where it is not variable, and so many bytes.
    Blob,
    /// A count and so many values.
    List(&'static Field),
    /// A count and so many structures.
    Structs(&'static [Field]),
    /// Absent below this version.
    From(i16, &'static Field),
    /// Absent above this version.
    UpTo(i16, &'static Field),
}

/// Why a request is not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ShapeError {
    /// It claims more than there is.
    #[error("it ends before all that it claims to hold")]
    Short,
    /// It holds more than any client needs.
    #[error("it has more than {MOST_ELEMENTS} elements")]
    TooMany,
}

/// All kinds. Versions that name topics by id instead of by name are left out, which no client requires.
pub(super) const SUPPORTED: &[Kind] = &[
    kind(ApiKey::Produce, 3..13, 9, &[Text, Fixed(6), Structs(&[Text, Structs(&[Fixed(4), Blob])])]),
    kind(ApiKey::Fetch, 4..13, 12, FETCH),
    kind(ApiKey::ListOffsets, 1..7, 6, LIST_OFFSETS),
    kind(ApiKey::Metadata, 0..13, 9, METADATA),
    kind(ApiKey::OffsetCommit, 2..9, 8, OFFSET_COMMIT),
    kind(ApiKey::OffsetFetch, 1..9, 6, OFFSET_FETCH),
    kind(ApiKey::FindCoordinator, 0..5, 3, &[UpTo(3, &Text), From(1, &Fixed(1)), From(4, &List(&Text))]),
    kind(ApiKey::JoinGroup, 0..10, 6, JOIN_GROUP),
    kind(ApiKey::Heartbeat, 0..5, 4, &[Text, Fixed(4), Text, From(3, &Text)]),
    kind(ApiKey::LeaveGroup, 0..6, 4, LEAVE_GROUP),
    kind(ApiKey::SyncGroup, 0..6, 4, SYNC_GROUP),
    kind(ApiKey::DescribeGroups, 0..6, 5, &[List(&Text), From(3, &Fixed(1))]),
    kind(ApiKey::ListGroups, 0..5, 3, &[From(4, &List(&Text))]),
    kind(ApiKey::ApiVersions, 0..5, 3, &[From(3, &Text), From(3, &Text)]),
    kind(ApiKey::CreateTopics, 2..8, 5, CREATE_TOPICS),
    kind(ApiKey::DeleteTopics, 1..7, 4, DELETE_TOPICS),
    kind(ApiKey::InitProducerId, 0..5, 2, &[Text, Fixed(4), From(3, &Fixed(10))]),
    kind(ApiKey::DescribeConfigs, 1..5, 4, DESCRIBE_CONFIGS),
    kind(ApiKey::CreatePartitions, 0..4, 2, CREATE_PARTITIONS),
    kind(ApiKey::DeleteGroups, 0..3, 2, &[List(&Text)]),
    kind(ApiKey::DescribeCluster, 0..2, 0, &[Fixed(1), From(1, &Fixed(1))]),
];

const FETCH: &[Field] = &[
    Fixed(17),
    From(7, &Fixed(8)),
    Structs(&[
        Text,
        Structs(&[Fixed(4), From(9, &Fixed(4)), Fixed(8), From(12, &Fixed(4)), From(5, &Fixed(8)), Fixed(4)]),
    ]),
    From(7, &Structs(&[Text, List(&Fixed(4))])),
    From(11, &Text),
];
const LIST_OFFSETS: &[Field] =
    &[Fixed(4), From(2, &Fixed(1)), Structs(&[Text, Structs(&[Fixed(4), From(4, &Fixed(4)), Fixed(8)])])];
const METADATA: &[Field] =
    &[Structs(&[From(10, &Fixed(16)), Text]), From(4, &Fixed(1)), From(8, &UpTo(10, &Fixed(1))), From(8, &Fixed(1))];
const OFFSET_COMMIT: &[Field] = &[
    Text,
    Fixed(4),
    Text,
    From(7, &Text),
    UpTo(4, &Fixed(8)),
    Structs(&[Text, Structs(&[Fixed(12), From(6, &Fixed(4)), Text])]),
];
const OFFSET_FETCH: &[Field] = &[
    UpTo(7, &Text),
    UpTo(7, &Structs(&[Text, List(&Fixed(4))])),
    From(8, &Structs(&[Text, Structs(&[Text, List(&Fixed(4))])])),
    From(7, &Fixed(1)),
];
const JOIN_GROUP: &[Field] =
    &[Text, Fixed(4), From(1, &Fixed(4)), Text, From(5, &Text), Text, Structs(&[Text, Blob]), From(8, &Text)];
const LEAVE_GROUP: &[Field] = &[Text, UpTo(2, &Text), From(3, &Structs(&[Text, Text, From(5, &Text)]))];
const SYNC_GROUP: &[Field] =
    &[Text, Fixed(4), Text, From(3, &Text), From(5, &Text), From(5, &Text), Structs(&[Text, Blob])];
const CREATE_TOPICS: &[Field] =
    &[Structs(&[Text, Fixed(6), Structs(&[Fixed(4), List(&Fixed(4))]), Structs(&[Text, Text])]), Fixed(5)];
const DELETE_TOPICS: &[Field] = &[From(6, &Structs(&[Text, Fixed(16)])), UpTo(5, &List(&Text)), Fixed(4)];
const DESCRIBE_CONFIGS: &[Field] = &[Structs(&[Fixed(1), Text, List(&Text)]), Fixed(1), From(3, &Fixed(1))];
const CREATE_PARTITIONS: &[Field] = &[Structs(&[Text, Fixed(4), Structs(&[List(&Fixed(4))])]), Fixed(5)];

const fn kind(key: ApiKey, versions: std::ops::Range<i16>, flexible_from: i16, fields: &'static [Field]) -> Kind {
    Kind { key, lowest: versions.start, highest: versions.end - 1, flexible_from, fields }
}

impl Kind {
    /// Whether `request` (without its length) really holds what it claims to hold, its header included.
    ///
    /// # Errors
    /// When it does not, or when it holds too much.
    pub(super) fn check(&self, version: i16, request: &[u8]) -> Result<(), ShapeError> {
        let mut walk = Walk { left: request, version, is_flexible: false, n_elements: 0 };
        // Kind, version and correlation id; then the client's name, whose length is never variable.
        walk.fields(&[Fixed(8), Text])?;
        walk.is_flexible = version >= self.flexible_from;
        walk.tags()?;
        walk.structure(self.fields)
    }
}

/// A walk through the bytes of a request.
struct Walk<'a> {
    left: &'a [u8],
    version: i16,
    is_flexible: bool,
    n_elements: usize,
}

impl Walk<'_> {
    fn structure(&mut self, fields: &[Field]) -> Result<(), ShapeError> {
        self.fields(fields)?;
        self.tags()
    }

    fn fields(&mut self, fields: &[Field]) -> Result<(), ShapeError> {
        fields.iter().try_for_each(|field| self.field(field))
    }

    fn field(&mut self, field: &Field) -> Result<(), ShapeError> {
        match field {
            Fixed(n_bytes) => self.take(*n_bytes).map(drop),
            Text => {
                let length = if self.is_flexible { self.compact()? } else { self.signed::<2>()? };
                self.take(length).map(drop)
            }
            Blob => {
                let length = self.long_length()?;
                self.take(length).map(drop)
            }
            List(value) => (0..self.count()?).try_for_each(|_| self.field(value)),
            Structs(fields) => (0..self.count()?).try_for_each(|_| self.structure(fields)),
            From(version, field) if self.version >= *version => self.field(field),
            UpTo(version, field) if self.version <= *version => self.field(field),
            From(..) | UpTo(..) => Ok(()),
        }
    }

    fn tags(&mut self) -> Result<(), ShapeError> {
        if !self.is_flexible {
            return Ok(());
        }
        let n_tags = self.variable()?;
        self.add_elements(n_tags)?;
        for _ in 0..n_tags {
            let _tag = self.variable()?;
            let length = self.variable()?;
            self.take(length)?;
        }
        Ok(())
    }

    fn count(&mut self) -> Result<usize, ShapeError> {
        let count = self.long_length()?;
        self.add_elements(count)?;
        Ok(count)
    }

    fn add_elements(&mut self, n: usize) -> Result<(), ShapeError> {
        self.n_elements = self.n_elements.saturating_add(n);
        if self.n_elements > MOST_ELEMENTS { Err(ShapeError::TooMany) } else { Ok(()) }
    }

    fn long_length(&mut self) -> Result<usize, ShapeError> {
        if self.is_flexible { self.compact() } else { self.signed::<4>() }
    }

    /// A variable length, which is stored one higher, because 0 stands for "absent".
    fn compact(&mut self) -> Result<usize, ShapeError> {
        Ok(self.variable()?.saturating_sub(1))
    }

    /// A length of `N` bytes. A negative one stands for "absent"; if that is not allowed, the decoder says so.
    fn signed<const N: usize>(&mut self) -> Result<usize, ShapeError> {
        let bytes = self.take(N)?;
        let is_negative = bytes[0] >= 0x80;
        Ok(if is_negative { 0 } else { bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)) })
    }

    /// Seven bits a byte, the lowest first, at most 32 bits.
    fn variable(&mut self) -> Result<usize, ShapeError> {
        let mut value = 0;
        for shift in (0..35).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        // Longer than 32 bits is cut to them by the decoder.
        usize::try_from(value & u64::from(u32::MAX)).map_err(|_| ShapeError::Short)
    }

    fn take(&mut self, n_bytes: usize) -> Result<&[u8], ShapeError> {
        let (taken, left) = self.left.split_at_checked(n_bytes).ok_or(ShapeError::Short)?;
        self.left = left;
        Ok(taken)
    }
}

#[cfg(test)]
pub(super) mod tests;

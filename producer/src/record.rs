//! A record as it goes to the topic.

/// Key and value of one record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl Record<'_> {
    /// What the ledger counts.
    pub(crate) fn bytes(self) -> usize {
        self.key.len() + self.value.len()
    }
}

//! What the tests of every dialect assert with: a usage object, and each count that it states.

use super::{Count, ProviderUsage, UsageShape};

/// A count and its value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Expected(pub(super) Count, pub(super) i64);

/// Asserts that a usage object states exactly these counts.
#[track_caller]
pub(super) fn assert_counts(provider: &str, usage: &str, shape: UsageShape, expected: &[Expected]) -> ProviderUsage {
    let provider = Some(provider).filter(|provider| !provider.is_empty());
    let read = ProviderUsage::parse(provider, usage).unwrap_or_else(|error| panic!("{usage}: {error}"));
    assert_stated(&read, expected);
    assert_eq!(read.shape, shape, "{usage}");
    read
}

/// Asserts that exactly these counts are stated.
#[track_caller]
pub(super) fn assert_stated(usage: &ProviderUsage, expected: &[Expected]) {
    let mut expected = expected.to_vec();
    expected.sort_by_key(|expected| expected.0 as usize);
    let stated: Vec<Expected> = usage.counts.stated().map(|(count, value)| Expected(count, value)).collect();
    assert_eq!(stated, expected);
}

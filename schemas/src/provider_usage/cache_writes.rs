//! Cache writes that a provider states as a sum, by retention, or both.

use super::count::Count;
use super::error::UsageError;
use super::rule::Reading;

/// What a usage object says of the tokens written to a cache, beside those of its input.
pub(super) struct CacheWrites {
    /// All of them.
    pub(super) total: Option<i64>,
    /// Those at standard retention.
    pub(super) standard: Option<i64>,
    /// Those at long retention.
    pub(super) long: Option<i64>,
    /// What the parts and the sum are called.
    pub(super) names: (&'static str, &'static str),
}

impl CacheWrites {
    /// Adds them to the input, of which they are a part, and to the count of their retention. What the parts do not
    /// explain of the sum was written at standard retention, as before retention could be chosen.
    ///
    /// # Errors
    /// When the parts exceed the sum.
    pub(super) fn add_to(&self, reading: &mut Reading) -> Result<(), UsageError> {
        let parts = self.standard.unwrap_or(0).saturating_add(self.long.unwrap_or(0));
        let total = match self.total {
            Some(total) if total < parts => {
                let (part, whole) = self.names;
                return Err(UsageError::PartExceedsWhole { part, value: parts, whole });
            }
            Some(total) => total,
            None if self.standard.is_none() && self.long.is_none() => return Ok(()),
            None => parts,
        };
        let long = self.long.unwrap_or(0);
        reading.counts.add(Count::InputTokens, total);
        reading.counts.add(Count::CacheWriteTokens, total - long);
        reading.counts.add(Count::CacheWrite1hTokens, long);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input, standard and long retention, of these statements.
    fn added(total: Option<i64>, standard: Option<i64>, long: Option<i64>) -> Result<[Option<i64>; 3], UsageError> {
        let mut reading = Reading::default();
        CacheWrites { total, standard, long, names: ("parts", "sum") }.add_to(&mut reading)?;
        let counts = [Count::InputTokens, Count::CacheWriteTokens, Count::CacheWrite1hTokens];
        Ok(counts.map(|count| reading.counts.get(count)))
    }

    #[test]
    fn parts_and_sum_complete_each_other() {
        assert_eq!(added(None, None, None), Ok([None, None, None]));
        assert_eq!(added(Some(100), None, None), Ok([Some(100), Some(100), Some(0)]));
        assert_eq!(added(Some(100), None, Some(30)), Ok([Some(100), Some(70), Some(30)]));
        assert_eq!(added(Some(100), Some(60), Some(30)), Ok([Some(100), Some(70), Some(30)]));
        assert_eq!(added(None, Some(60), Some(30)), Ok([Some(90), Some(60), Some(30)]));
        assert_eq!(added(Some(0), Some(0), Some(0)), Ok([Some(0), Some(0), Some(0)]));
    }

    #[test]
    fn parts_beyond_the_sum_are_refused() {
        let error = added(Some(80), Some(60), Some(30)).unwrap_err();
        assert!(error.to_string().starts_with("parts is 90, more than sum, which it is a part of"), "{error}");
        assert!(added(Some(0), None, Some(1)).is_err());
    }
}

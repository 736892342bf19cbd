//! A mergeable sketch of a distribution of whole numbers: counts in logarithmic buckets, relative error at most 1 %.
//!
//! Every quantile of any merge is within [`RELATIVE_ERROR`] of the exact order statistic, and comes with the interval in which
//! that lies. The buckets are made by integer arithmetic alone ([`bucket_of`]), so equal inputs give equal bytes on every
//! machine, and any language can read them: docs/sketches.md. The sketch does not know its unit (opstream uses microseconds) and
//! does not keep minimum, maximum or sum.

mod buckets;
mod bytes;

use std::cmp::Ordering;

pub use buckets::{BUCKETS, Bucket, bucket_bounds, bucket_of};
pub use bytes::SketchBytesError;

#[cfg(test)]
mod tests;

/// The most by which [`Quantile::value`] differs from the exact order statistic, relative to it.
pub const RELATIVE_ERROR: f64 = 0.01;

/// Counts per bucket. Two sketches are equal exactly if their bytes are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sketch {
    /// Buckets with at least one value, ascending, each once; the counts add up to at most `u64::MAX`.
    counts: Vec<(Bucket, u64)>,
}

/// More values than 64 bits can count.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a sketch cannot count more than 2^64 - 1 values")]
pub struct TooManyValues;

/// The value at a quantile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quantile {
    /// Estimate, within [`RELATIVE_ERROR`] of the exact order statistic.
    pub value: f64,
    /// The exact order statistic is not below this.
    pub low: u64,
    /// The exact order statistic is not above this.
    pub high: u64,
}

impl Sketch {
    /// The sketch of these values.
    pub fn from_values(values: impl IntoIterator<Item = u64>) -> Self {
        let mut tally = BucketTally::default();
        for value in values {
            tally.add(bucket_of(value));
        }
        tally.take()
    }

    /// The sketch of so many values in each bucket; a bucket may come more than once.
    ///
    /// # Errors
    /// When there would be more than 2^64 - 1 values.
    pub fn from_counts(counts: impl IntoIterator<Item = (Bucket, u64)>) -> Result<Self, TooManyValues> {
        let mut all: Vec<(Bucket, u64)> = counts.into_iter().filter(|(_, count)| *count > 0).collect();
        all.sort_unstable_by_key(|(bucket, _)| *bucket);
        let mut sketch = Self::default();
        let mut total = 0_u64;
        for (bucket, count) in all {
            total = total.checked_add(count).ok_or(TooManyValues)?;
            match sketch.counts.last_mut() {
                Some((last, sum)) if *last == bucket => *sum += count,
                _ => sketch.counts.push((bucket, count)),
            }
        }
        Ok(sketch)
    }

    /// How many values there are.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(|(_, count)| count).sum()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Buckets with their counts, ascending.
    pub fn buckets(&self) -> &[(Bucket, u64)] {
        &self.counts
    }

    /// The sketch of both sets of values. The order and the grouping of merges make no difference.
    ///
    /// # Errors
    /// When there would be more than 2^64 - 1 values.
    pub fn merge(&self, other: &Self) -> Result<Self, TooManyValues> {
        self.count().checked_add(other.count()).ok_or(TooManyValues)?;
        let mut merged = Vec::with_capacity(self.counts.len() + other.counts.len());
        let (mut left, mut right) = (self.counts.as_slice(), other.counts.as_slice());
        while let (Some((l, left_rest)), Some((r, right_rest))) = (left.split_first(), right.split_first()) {
            let order = l.0.cmp(&r.0);
            merged.push(match order {
                Ordering::Less => *l,
                Ordering::Greater => *r,
                Ordering::Equal => (l.0, l.1 + r.1),
            });
            if order.is_le() {
                left = left_rest;
            }
            if order.is_ge() {
                right = right_rest;
            }
        }
        merged.extend_from_slice(left);
        merged.extend_from_slice(right);
        Ok(Self { counts: merged })
    }

    /// Adds the values of another sketch; see [`Sketch::merge`].
    ///
    /// # Errors
    /// When there would be more than 2^64 - 1 values; the sketch is as it was.
    pub fn add(&mut self, other: &Self) -> Result<(), TooManyValues> {
        /// A sketch with so many times more buckets is changed where it stands.
        const MUCH_SMALLER: usize = 8;
        if other.counts.len() * MUCH_SMALLER > self.counts.len() {
            *self = self.merge(other)?;
            return Ok(());
        }
        self.count().checked_add(other.count()).ok_or(TooManyValues)?;
        for (bucket, count) in &other.counts {
            match self.counts.binary_search_by_key(bucket, |(known, _)| *known) {
                Ok(place) => self.counts[place].1 += count,
                Err(place) => self.counts.insert(place, (*bucket, *count)),
            }
        }
        Ok(())
    }

    /// The value of rank `ceil(q · count)` in ascending order, at least the first: `q` = 0 is the smallest, 0.5 the lower
    /// median, 1 the largest. `None` when there is no value or `q` is not from 0 to 1.
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        if self.is_empty() || !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = rank_of(q, self.count());
        let mut seen = 0;
        for (bucket, count) in &self.counts {
            seen += count;
            if seen >= rank {
                return Some(Quantile::of(*bucket));
            }
        }
        None
    }
}

/// `ceil(q · count)`, from 1 to `count`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer saturates, and the result is clamped"
)]
fn rank_of(q: f64, count: u64) -> u64 {
    ((q * count as f64).ceil() as u64).clamp(1, count)
}

impl Quantile {
    /// The harmonic mean of the bucket's ends is equally far from both, relative to them.
    fn of(bucket: Bucket) -> Self {
        let (low, high) = bucket_bounds(bucket);
        let (l, h) = (low as f64, high as f64);
        let value = if low == high { l } else { 2.0 * l * h / (l + h) };
        Self { value, low, high }
    }
}

/// Counts buckets one by one, for many values: an array of counts that is used again and again.
#[derive(Debug)]
pub struct BucketTally {
    counts: Vec<u64>,
    touched: Vec<Bucket>,
}

impl Default for BucketTally {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], touched: Vec::new() }
    }
}

impl BucketTally {
    /// Counts one value of the bucket.
    #[inline]
    pub fn add(&mut self, bucket: Bucket) {
        let count = &mut self.counts[usize::from(bucket.number())];
        if *count == 0 {
            self.touched.push(bucket);
        }
        *count += 1;
    }

    /// The sketch of what was counted, leaving nothing.
    pub fn take(&mut self) -> Sketch {
        self.touched.sort_unstable();
        let counts = &mut self.counts;
        let taken =
            self.touched.drain(..).map(|bucket| (bucket, std::mem::take(&mut counts[usize::from(bucket.number())])));
        Sketch { counts: taken.collect() }
    }
}

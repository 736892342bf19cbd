//! The buckets: 0 alone, then intervals `[low, floor(low · 101/99)]` of whole numbers, one after the other from 1.
//!
//! Both ends of a bucket are at most a factor of 101/99 apart, so the value halfway (harmonically) is at most 1 % from each. Up
//! to 49 every number has a bucket of its own.

use std::sync::LazyLock;

/// Number of buckets for all of `0..=u64::MAX`.
pub const BUCKETS: usize = 2052;
/// First values of the buckets from 1 on, and where to begin the search for a value.
static TABLE: LazyLock<Table> = LazyLock::new(Table::new);
/// Bits after the leading one that choose the place where a search begins: 2^-6 is less than a bucket's width of 2 %, so the
/// search takes at most one step.
const INDEX_BITS: u32 = 6;

/// Number of a bucket, from 0 to `BUCKETS - 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u16);

struct Table {
    lows: Vec<u64>,
    begin: Vec<u16>,
}

impl Bucket {
    /// The bucket with this number.
    pub fn from_number(number: u64) -> Option<Self> {
        let number = u16::try_from(number).ok()?;
        (usize::from(number) < BUCKETS).then_some(Self(number))
    }

    /// Its number.
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// The bucket that counts `value`.
#[inline]
pub fn bucket_of(value: u64) -> Bucket {
    if value == 0 {
        return Bucket(0);
    }
    let table = &*TABLE;
    let mut number = table.begin[index_place(value)];
    while table.lows.get(usize::from(number) + 1).is_some_and(|next| *next <= value) {
        number += 1;
    }
    Bucket(number)
}

/// Smallest and largest value of the bucket.
pub fn bucket_bounds(bucket: Bucket) -> (u64, u64) {
    let lows = &TABLE.lows;
    let place = usize::from(bucket.0);
    (lows[place], lows.get(place + 1).map_or(u64::MAX, |next| next - 1))
}

/// Place in the index: the position of the leading one and the bits behind it.
#[inline]
fn index_place(value: u64) -> usize {
    let exponent = value.ilog2();
    let mantissa =
        if exponent >= INDEX_BITS { value >> (exponent - INDEX_BITS) } else { value << (INDEX_BITS - exponent) };
    let place = (u64::from(exponent) << INDEX_BITS) + (mantissa - (1 << INDEX_BITS));
    usize::try_from(place).expect("64 exponents of 64 places each")
}

/// Smallest value with this place in the index.
fn place_start(exponent: u32, mantissa: u64) -> u64 {
    let leading = mantissa + (1 << INDEX_BITS);
    if exponent >= INDEX_BITS {
        leading << (exponent - INDEX_BITS)
    } else {
        leading.div_ceil(1 << (INDEX_BITS - exponent))
    }
}

impl Table {
    fn new() -> Self {
        let mut lows = vec![0, 1];
        let mut low: u64 = 1;
        while let Some(next) = next_low(low) {
            lows.push(next);
            low = next;
        }
        let mut begin = Vec::with_capacity(64 << INDEX_BITS);
        for exponent in 0..u64::BITS {
            for mantissa in 0..(1 << INDEX_BITS) {
                let start = place_start(exponent, mantissa);
                let number = lows.partition_point(|low| *low <= start) - 1;
                begin.push(u16::try_from(number).expect("there are fewer than 65,536 buckets"));
            }
        }
        Self { lows, begin }
    }
}

/// First value of the next bucket; `None` after the last.
fn next_low(low: u64) -> Option<u64> {
    let high = u128::from(low) * 101 / 99;
    u64::try_from(high + 1).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_touch_each_other_from_zero_to_the_largest_number() {
        assert_eq!(TABLE.lows.len(), BUCKETS);
        let bounds: Vec<_> =
            (0..BUCKETS).map(|number| bucket_bounds(Bucket::from_number(number as u64).unwrap())).collect();
        assert_eq!((bounds[0], bounds[1]), ((0, 0), (1, 1)));
        assert!(bounds.windows(2).all(|pair| pair[1].0 == pair[0].1 + 1));
        assert_eq!(bounds[BUCKETS - 1].1, u64::MAX);
        for (low, high) in &bounds[1..] {
            assert!(u128::from(*high) * 99 <= u128::from(*low) * 101, "{low} to {high} is too wide");
        }
        assert_eq!(Bucket::from_number(BUCKETS as u64), None);
    }

    #[test]
    fn every_edge_falls_into_its_own_bucket() {
        for number in 0..BUCKETS {
            let bucket = Bucket::from_number(number as u64).unwrap();
            let (low, high) = bucket_bounds(bucket);
            assert_eq!((bucket_of(low), bucket_of(high), bucket_of(low.midpoint(high))), (bucket, bucket, bucket));
        }
    }
}

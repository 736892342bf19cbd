//! The promises of the sketch as properties.

use proptest::prelude::*;

use super::*;

/// Values of every magnitude, with many small ones and the edges.
fn values(most: usize) -> impl Strategy<Value = Vec<u64>> {
    let value = prop_oneof![
        Just(0_u64),
        0_u64..200,
        (0_u32..64, any::<u64>()).prop_map(|(shift, bits)| bits >> shift),
        Just(i64::MAX.unsigned_abs()),
        Just(u64::MAX),
    ];
    proptest::collection::vec(value, 0..most)
}

fn sketch(values: &[u64]) -> Sketch {
    Sketch::from_values(values.iter().copied())
}

proptest! {
    #[test]
    fn a_quantile_is_within_one_percent_of_the_exact_order_statistic(mut values in values(300), q in 0.0_f64..=1.0) {
        let sketch = sketch(&values);
        values.sort_unstable();
        prop_assert_eq!(sketch.count(), values.len() as u64);
        let Some(quantile) = sketch.quantile(q) else {
            prop_assert!(values.is_empty());
            return Ok(());
        };
        let rank = usize::try_from(rank_of(q, values.len() as u64)).unwrap();
        let exact = values[rank - 1];
        prop_assert!(quantile.low <= exact && exact <= quantile.high);
        // The last factor is the rounding of the doubles themselves.
        let allowed = RELATIVE_ERROR * exact as f64 * (1.0 + 1e-12);
        prop_assert!((quantile.value - exact as f64).abs() <= allowed, "{} for {exact}", quantile.value);
        prop_assert!(exact > 49 || quantile.low == quantile.high);
    }

    #[test]
    fn merging_is_the_sketch_of_all_values_in_any_order_and_grouping(
        a in values(100), b in values(100), c in values(100), values_of_few in values(4)
    ) {
        let all = sketch(&[a.clone(), b.clone(), c.clone()].concat());
        let (a, b, c) = (sketch(&a), sketch(&b), sketch(&c));
        prop_assert_eq!(&a.merge(&b).unwrap().merge(&c).unwrap(), &all);
        prop_assert_eq!(&c.merge(&b.merge(&a).unwrap()).unwrap(), &all);
        prop_assert_eq!(&a.merge(&Sketch::default()).unwrap(), &a);
        let (few, mut sum) = (sketch(&values_of_few), all.clone());
        sum.add(&few).unwrap();
        prop_assert_eq!(sum, all.merge(&few).unwrap());
    }

    #[test]
    fn bytes_come_back_and_are_few(values in values(300)) {
        let sketch = sketch(&values);
        let bytes = sketch.to_bytes();
        prop_assert!(bytes.len() <= 1 + 4 * sketch.buckets().len());
        prop_assert_eq!(Sketch::from_bytes(&bytes).unwrap(), sketch);
    }

    #[test]
    fn foreign_bytes_are_refused_or_are_the_one_form_of_a_sketch(bytes in proptest::collection::vec(any::<u8>(), 0..40), version in any::<bool>()) {
        let bytes = if version { [&[1], bytes.as_slice()].concat() } else { bytes };
        if let Ok(sketch) = Sketch::from_bytes(&bytes) {
            prop_assert_eq!(sketch.to_bytes(), bytes);
        }
    }
}

#[test]
fn damaged_bytes_are_refused_with_the_reason() {
    let reason = |bytes: &[u8]| Sketch::from_bytes(bytes).unwrap_err().to_string();
    assert_eq!(reason(&[2, 0, 1]), "sketch has version 2, this program reads version 1");
    assert_eq!(reason(&[1, 5]), "sketch is damaged at byte 2: it ends within a number");
    assert_eq!(reason(&[1, 0, 0]), "sketch is damaged at byte 3: a bucket without values");
    assert_eq!(reason(&[1, 0xff, 0x7f, 1]), "sketch is damaged at byte 3: no such bucket");
    assert_eq!(reason(&[1, 0x80, 0, 1]), "sketch is damaged at byte 3: a number in a longer form than needed");
    let most = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
    assert_eq!(
        reason(&[&[1, 0], &most[..], &[0, 1]].concat()),
        "sketch is damaged at byte 14: more values than 64 bits count"
    );
    assert_eq!(reason(&[1]), "sketch is damaged at byte 1: a version without buckets");
}

#[test]
fn counts_beyond_64_bits_are_refused() {
    let most = Sketch::from_bytes(&[1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).unwrap();
    assert_eq!(most.count(), u64::MAX);
    assert_eq!(most.merge(&sketch(&[7])), Err(TooManyValues));
    assert_eq!(most.clone().add(&sketch(&[7])), Err(TooManyValues));
}

#[test]
fn quantiles_outside_zero_to_one_and_of_nothing_are_none() {
    assert_eq!(sketch(&[]).quantile(0.5), None);
    assert_eq!(sketch(&[1]).quantile(1.1), None);
    assert_eq!(sketch(&[1]).quantile(f64::NAN), None);
    assert_eq!(sketch(&[1, 2, 3, 4]).quantile(0.5), Some(Quantile { value: 2.0, low: 2, high: 2 }));
    assert_eq!(sketch(&[0, 9]).quantile(0.0), Some(Quantile { value: 0.0, low: 0, high: 0 }));
}

#[test]
fn the_documented_example_is_what_is_written() {
    let bytes = [1, 0, 2, 4, 1];
    assert_eq!(sketch(&[0, 5, 0]).to_bytes(), bytes);
    assert_eq!(Sketch::from_bytes(&bytes).unwrap(), sketch(&[5, 0, 0]));
}

#[test]
fn counts_of_buckets_in_any_order_are_the_sketch_of_their_values() {
    let values = [7, 0, 100_000, 7, 7, 3];
    let counts = values.map(|value| (bucket_of(value), 1)).into_iter().chain([(bucket_of(9), 0)]);
    assert_eq!(Sketch::from_counts(counts), Ok(sketch(&values)));
    assert_eq!(Sketch::from_counts([(bucket_of(1), u64::MAX), (bucket_of(1), 1)]), Err(TooManyValues));
}

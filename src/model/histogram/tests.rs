use std::sync::Arc;

use proptest::prelude::*;

use super::*;

fn span(offset: i32, length: u32) -> BucketSpan {
    BucketSpan { offset, length }
}

fn exponential(schema: i32, offset: i32, buckets: &[f64]) -> FloatHistogram {
    FloatHistogram {
        schema,
        count: buckets.iter().fold(0.0, |sum, count| sum + count),
        sum: 1.0,
        positive_spans: vec![span(offset, buckets.len() as u32)],
        positive_buckets: buckets.to_vec(),
        ..FloatHistogram::default()
    }
}

fn custom(bounds: &[f64], buckets: &[f64]) -> FloatHistogram {
    FloatHistogram {
        custom_values: Arc::from(bounds),
        ..exponential(CUSTOM_BUCKETS_SCHEMA, 0, buckets)
    }
}

#[test]
fn bounds_are_upstreams() {
    assert_eq!(bound(0, 0, &[]), 1.0);
    assert_eq!(bound(1, 0, &[]), 2.0);
    assert_eq!(bound(-1, 2, &[]), 0.8408964152537144);
    assert_eq!(bound(1, -4, &[]), 65536.0);
    assert_eq!(bound(64, -4, &[]), f64::MAX);
    assert_eq!(bound(65, -4, &[]), f64::INFINITY);
    assert_eq!(bound(1024, 0, &[]), f64::MAX);
    assert_eq!(bound(-1074, 0, &[]), 5e-324);
    assert_eq!(bound(1, CUSTOM_BUCKETS_SCHEMA, &[5.0, 10.0]), 10.0);
    assert_eq!(bound(2, CUSTOM_BUCKETS_SCHEMA, &[5.0, 10.0]), f64::INFINITY);
    assert_eq!(bound(-1, CUSTOM_BUCKETS_SCHEMA, &[5.0]), f64::NEG_INFINITY);
}

#[test]
fn addition_lowers_the_resolution_to_the_coarser_one() {
    let mut a = exponential(0, 0, &[1.0, 2.0]);
    a.add(&exponential(1, 0, &[1.0, 1.0, 1.0])).unwrap();
    assert_eq!(a.schema, 0);
    assert_eq!(a.notation(), "{{count:6 sum:2 buckets:[2 4]}}");
}

#[test]
fn a_wider_zero_bucket_swallows_buckets() {
    let mut a = exponential(0, 0, &[1.0, 2.0, 4.0]);
    let b = FloatHistogram {
        zero_threshold: 1.5,
        zero_count: 3.0,
        count: 3.0,
        ..FloatHistogram::default()
    };
    a.add(&b).unwrap();
    assert_eq!(a.zero_threshold, 2.0);
    assert_eq!(a.zero_count, 6.0);
    assert_eq!(a.positive().len(), 1);
}

#[test]
fn mismatched_custom_bounds_are_reduced_to_the_common_ones() {
    let mut a = custom(&[1.0, 2.0, 3.0], &[1.0, 1.0, 1.0, 1.0]);
    let seen = a.add(&custom(&[2.0, 4.0], &[5.0, 6.0, 7.0])).unwrap();
    assert!(seen.bounds_reconciled);
    assert_eq!(*a.custom_values, [2.0]);
    assert_eq!(a.positive_buckets, [7.0, 15.0]);
}

#[test]
fn custom_and_exponential_do_not_mix() {
    let mut a = custom(&[1.0], &[1.0]);
    assert_eq!(
        a.add(&exponential(0, 0, &[1.0])),
        Err(HistogramError::IncompatibleSchema)
    );
}

#[test]
fn a_vanished_bucket_is_a_reset() {
    let before = exponential(0, 0, &[1.0, 1.0]);
    assert!(exponential(0, 0, &[3.0]).detect_reset(&before));
    assert!(!exponential(0, 0, &[1.0, 2.0]).detect_reset(&before));
    let mut hinted = exponential(0, 0, &[5.0, 5.0]);
    hinted.counter_reset_hint = CounterResetHint::Reset;
    assert!(hinted.detect_reset(&before));
}

#[test]
fn text_is_gos() {
    let h = FloatHistogram {
        zero_threshold: 0.5,
        zero_count: 1.0,
        count: 4.0,
        sum: 5.0,
        negative_spans: vec![span(1, 1)],
        negative_buckets: vec![1.0],
        ..exponential(0, 1, &[2.0])
    };
    assert_eq!(
        h.to_string(),
        "{count:4, sum:5, [-2,-1):1, [-0.5,0.5]:1, (1,2]:2}"
    );
    assert_eq!(
        custom(&[5.0], &[1.0]).to_string(),
        "{count:1, sum:1, [-Inf,5]:1}"
    );
}

#[test]
fn validation_names_the_contradiction() {
    let mut h = exponential(0, 0, &[1.0]);
    h.positive_spans = vec![span(0, 2)];
    assert_eq!(
        h.validate().unwrap_err().to_string(),
        "positive side: spans need 2 buckets, have 1 buckets: histogram spans specify different number of buckets than provided"
    );
    h.schema = 9;
    assert!(h.validate().is_err());
}

#[test]
fn hostile_spans_do_no_harm() {
    let h = FloatHistogram {
        positive_spans: vec![span(i32::MAX, u32::MAX), span(i32::MAX, 3)],
        positive_buckets: vec![1.0, 2.0],
        ..FloatHistogram::default()
    };
    let mut sum = h.clone();
    sum.add(&h).unwrap();
    assert_eq!(sum.positive().len(), 2);
    assert!(!h.detect_reset(&h));
    assert!(!h.notation().is_empty());
}

fn any_exponential() -> impl Strategy<Value = FloatHistogram> {
    (-4..=8i32, -40..40i32, prop::collection::vec(0u32..20, 0..8)).prop_map(
        |(schema, offset, buckets)| {
            let buckets: Vec<f64> = buckets.into_iter().map(f64::from).collect();
            exponential(schema, offset, &buckets)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn adding_and_subtracting_gives_back_the_counts(a in any_exponential(), b in any_exponential()) {
        let mut sum = a.clone();
        sum.add(&b).unwrap();
        let total: f64 = sum.positive_buckets.iter().sum();
        prop_assert_eq!(total, a.count + b.count);
        sum.sub(&b).unwrap();
        sum.compact();
        let mut reduced = a;
        if reduced.schema > sum.schema {
            reduced.reduce_resolution(sum.schema).unwrap();
        }
        reduced.compact();
        prop_assert_eq!(&sum.positive_buckets, &reduced.positive_buckets);
        prop_assert_eq!(&sum.positive_spans, &reduced.positive_spans);
    }

    #[test]
    fn compensated_addition_agrees_with_plain_addition_on_integers(
        all in prop::collection::vec(any_exponential(), 1..6),
    ) {
        let mut plain = all[0].clone();
        let mut sum = all[0].clone();
        let mut comp = None;
        for h in &all[1..] {
            plain.add(h).unwrap();
            sum.kahan_add(h, &mut comp).unwrap();
        }
        if let Some(comp) = comp {
            sum.add(&comp).unwrap();
        }
        plain.compact();
        sum.compact();
        prop_assert!(plain.same_layout_and_counts(&sum));
    }
}

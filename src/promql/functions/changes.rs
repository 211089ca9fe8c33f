//! `changes` and `resets`.

use super::range::RangeInput;
use super::rate::starts_anew;
use crate::model::FloatHistogram;
use crate::promql::PointValue;
use crate::promql::engine::plan::Extension;

type Answer = Option<PointValue>;

/// A sample of either kind.
#[derive(Clone, Copy)]
struct Sample<'a> {
    t: i64,
    start: i64,
    value: Either<'a>,
}

#[derive(Clone, Copy)]
enum Either<'a> {
    Float(f64),
    Histogram(&'a FloatHistogram),
}

pub(crate) fn changes(input: &RangeInput<'_>) -> Answer {
    count_pairs(input, |before, after| match (before.value, after.value) {
        (Either::Float(a), Either::Float(b)) => a != b && !(a.is_nan() && b.is_nan()),
        (Either::Histogram(a), Either::Histogram(b)) => !same_counts(a, b),
        _ => true,
    })
}

pub(crate) fn resets(input: &RangeInput<'_>) -> Answer {
    count_pairs(input, |before, after| {
        let anew = || starts_anew(before.start, before.t, after.start, after.t);
        match (before.value, after.value) {
            (Either::Float(a), Either::Float(b)) => b < a || anew(),
            (Either::Histogram(a), Either::Histogram(b)) => anew() || b.detect_reset(a),
            _ => true,
        }
    })
}

/// Whether both count the same. Buckets that are stored though empty make no difference, as a chunk
/// stores the same buckets for all its histograms.
fn same_counts(a: &FloatHistogram, b: &FloatHistogram) -> bool {
    if a.same_layout_and_counts(b) {
        return true;
    }
    let (mut a, mut b) = (a.clone(), b.clone());
    a.compact();
    b.compact();
    a.same_layout_and_counts(&b)
}

fn count_pairs(
    input: &RangeInput<'_>,
    differ: impl Fn(&Sample<'_>, &Sample<'_>) -> bool,
) -> Option<PointValue> {
    let samples = anchored(input, merged(input))?;
    let pairs = samples
        .windows(2)
        .filter(|pair| matches!(pair, [before, after] if differ(before, after)))
        .count();
    Some(PointValue::Float(pairs as f64))
}

/// All samples in time order.
fn merged<'a>(input: &RangeInput<'a>) -> Vec<Sample<'a>> {
    let start = |starts: &[i64], at: usize| starts.get(at).copied().unwrap_or(0);
    let floats = input.floats.iter().enumerate().map(|(at, (t, v))| Sample {
        t: *t,
        start: start(input.float_starts, at),
        value: Either::Float(*v),
    });
    let histograms = input
        .histograms
        .iter()
        .enumerate()
        .map(|(at, (t, h))| Sample {
            t: *t,
            start: start(input.histogram_starts, at),
            value: Either::Histogram(h),
        });
    let mut all: Vec<Sample<'a>> = floats.chain(histograms).collect();
    all.sort_by_key(|sample| sample.t);
    all
}

/// With `anchored` the latest sample up to the start of the range stands for its begin; `None` when
/// nothing follows it.
fn anchored<'a>(input: &RangeInput<'_>, mut samples: Vec<Sample<'a>>) -> Option<Vec<Sample<'a>>> {
    if input.extension == Extension::Anchored {
        let within = samples.partition_point(|sample| sample.t <= input.start_ms);
        if within == samples.len() {
            return None;
        }
        samples.drain(..within.saturating_sub(1));
    }
    Some(samples)
}

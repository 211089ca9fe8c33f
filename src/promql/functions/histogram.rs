//! `histogram_quantile` and its kin, over classic and native histograms.

use std::collections::HashMap;
use std::sync::Arc;

use super::instant::CallInput;
use super::quantile::{
    ClassicBucket, bucket_fraction, bucket_quantile, histogram_fraction, histogram_quantile,
};
use crate::model::histogram::kahan_inc;
use crate::model::{FloatHistogram, Labels};
use crate::promql::engine::context::{Sample, Vector, metric_name};
use crate::text::gofmt::float_g;

/// The label with a classic bucket's upper bound.
const BUCKET_LABEL: &str = "le";

/// The estimated variance of the observations, each at the middle of its bucket.
pub(super) fn variance(h: &FloatHistogram) -> f64 {
    let mean = h.sum / h.count;
    let (mut variance, mut c) = (0.0, 0.0);
    for bucket in h.buckets() {
        if bucket.count == 0.0 {
            continue;
        }
        let value = if h.uses_custom_buckets() {
            // compat: overflows where the bounds do.
            (bucket.upper + bucket.lower) * 0.5
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            let middle = (bucket.upper * bucket.lower).sqrt();
            if bucket.upper < 0.0 { -middle } else { middle }
        };
        let delta = value - mean;
        (variance, c) = kahan_inc(bucket.count * delta * delta, variance, c);
    }
    (variance + c) / h.count
}

/// The histograms of a vector.
struct Histograms {
    native: Vec<(Labels, Arc<FloatHistogram>)>,
    classic: Vec<(Labels, Vec<ClassicBucket>)>,
}

impl Histograms {
    /// Finds native histograms and groups the buckets of classic ones in argument `at`.
    fn of(input: &mut CallInput<'_, '_>, at: usize) -> Self {
        let pos = input.pos(at);
        let vector = input.vector(at);
        let delayed = input.context.delayed_names();
        let name = |labels: &Labels| {
            if delayed {
                metric_name(labels).to_owned()
            } else {
                String::new()
            }
        };
        let mut native = Vec::new();
        let mut classic: Vec<(Labels, Vec<ClassicBucket>)> = Vec::new();
        let mut known: HashMap<Labels, usize> = HashMap::new();
        for Sample { labels, value, .. } in vector {
            let count = match value {
                crate::promql::PointValue::Histogram(h) => {
                    native.push((labels, h));
                    continue;
                }
                crate::promql::PointValue::Float(count) => count,
            };
            let bound = labels.get(BUCKET_LABEL).unwrap_or_default();
            let Some(upper) = parse_bound(bound) else {
                input
                    .context
                    .note(|notes| notes.bad_bucket_label(&name(&labels), bound, pos));
                continue;
            };
            let series = labels.filter(|label| label != BUCKET_LABEL);
            let free = classic.len();
            let group = *known.entry(series.clone()).or_insert(free);
            if group == free {
                classic.push((series, Vec::new()));
            }
            if let Some((_, buckets)) = classic.get_mut(group) {
                buckets.push(ClassicBucket { upper, count });
            }
        }
        native.retain(|(labels, _)| {
            let Some(group) = known.get(labels) else {
                return true;
            };
            if let Some((_, buckets)) = classic.get_mut(*group) {
                buckets.clear();
            }
            input
                .context
                .note(|notes| notes.mixed_classic_native(&name(labels), pos));
            false
        });
        classic.retain(|(_, buckets)| !buckets.is_empty());
        Self { native, classic }
    }
}

/// A bucket's bound; anything that Go's `ParseFloat` takes.
fn parse_bound(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn note_quantile(input: &CallInput<'_, '_>, q: f64, at: usize) {
    if q.is_nan() || !(0.0..=1.0).contains(&q) {
        let pos = input.pos(at);
        input.context.note(|notes| notes.invalid_quantile(q, pos));
    }
}

pub(super) fn quantile(input: &mut CallInput<'_, '_>) -> Vector {
    let Some(q) = input.scalar(0) else {
        return Vector::new();
    };
    note_quantile(input, q, 0);
    let histograms = Histograms::of(input, 1);
    let mut out = Vector::new();
    quantile_of_each(input, q, &histograms, 1, &mut out, |labels| labels);
    out
}

pub(super) fn quantiles(input: &mut CallInput<'_, '_>) -> Vector {
    let label = input
        .call
        .args
        .get(1)
        .map(|arg| arg.text().to_owned())
        .unwrap_or_default();
    let qs: Vec<f64> = (2..input.call.args.len())
        .filter_map(|at| {
            let q = input.scalar(at)?;
            note_quantile(input, q, at);
            Some(q)
        })
        .collect();
    let histograms = Histograms::of(input, 0);
    let mut out = Vector::new();
    for q in qs {
        let value = open_metrics(q);
        quantile_of_each(input, q, &histograms, 0, &mut out, |labels| {
            labels.with(&label, &value)
        });
    }
    out
}

/// A number as OpenMetrics writes it: always with a point or an exponent.
fn open_metrics(v: f64) -> String {
    let text = float_g(v);
    if text.contains(['e', '.', 'N', 'I']) {
        text
    } else {
        format!("{text}.0")
    }
}

fn quantile_of_each(
    input: &CallInput<'_, '_>,
    q: f64,
    histograms: &Histograms,
    at: usize,
    out: &mut Vector,
    label: impl Fn(Labels) -> Labels,
) {
    let pos = input.pos(at);
    for (labels, h) in &histograms.native {
        let labels = input.context.renamed(labels);
        let mut value = f64::NAN;
        input.context.note(|notes| {
            value = histogram_quantile(q, h, metric_name(&labels), pos, notes);
        });
        out.push(Sample::new(label(labels), value).dropping_name());
    }
    for (labels, buckets) in &histograms.classic {
        let (value, forced) = bucket_quantile(q, buckets.clone(), input.step.t);
        if let Some(forced) = forced {
            let name = if input.context.delayed_names() {
                metric_name(labels)
            } else {
                ""
            };
            input
                .context
                .note(|notes| notes.forced_monotonicity(name, forced, pos));
        }
        let labels = input.context.renamed(labels);
        out.push(Sample::new(label(labels), value).dropping_name());
    }
}

pub(super) fn fraction(input: &mut CallInput<'_, '_>) -> Vector {
    let (Some(lower), Some(upper)) = (input.scalar(0), input.scalar(1)) else {
        return Vector::new();
    };
    let histograms = Histograms::of(input, 2);
    let pos = input.pos(2);
    let mut out = Vector::new();
    for (labels, h) in histograms.native {
        let labels = input.context.renamed(&labels);
        let mut value = f64::NAN;
        input.context.note(|notes| {
            value = histogram_fraction(lower, upper, &h, metric_name(&labels), pos, notes);
        });
        out.push(Sample::new(labels, value).dropping_name());
    }
    for (labels, buckets) in histograms.classic {
        let value = bucket_fraction(lower, upper, buckets);
        out.push(Sample::new(input.context.renamed(&labels), value).dropping_name());
    }
    out
}

//! `load_with_nhcb`: classic histograms once more as native ones with custom buckets.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::histogram::{BucketSpan, CUSTOM_BUCKETS_SCHEMA};
use crate::model::{FloatHistogram, Labels, METRIC_NAME, Sample, SampleValue};

/// The parts of a classic histogram at one time.
#[derive(Debug, Default)]
struct Classic {
    /// Bound and cumulative count, sorted.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: Option<f64>,
}

type Histograms = BTreeMap<Labels, BTreeMap<i64, Classic>>;

/// The native histograms of all classic ones in a load.
pub(super) fn convert(
    series: &BTreeMap<Labels, Vec<Sample>>,
) -> Result<Vec<(Labels, Vec<Sample>)>, String> {
    let mut all = Histograms::new();
    for (labels, samples) in series {
        collect(labels, samples, &mut all);
    }
    all.into_iter()
        .map(|(labels, times)| {
            let samples: Result<Vec<Sample>, String> = times
                .into_iter()
                .map(|(timestamp_ms, classic)| {
                    Ok(Sample {
                        timestamp_ms,
                        start_timestamp_ms: 0,
                        value: SampleValue::FloatHistogram(Arc::new(classic.native()?)),
                    })
                })
                .collect();
            Ok((labels, samples?))
        })
        .collect()
}

fn collect(labels: &Labels, samples: &[Sample], all: &mut Histograms) {
    let name = labels.metric_name().unwrap_or_default();
    let (base, bound) = if let Some(base) = name.strip_suffix("_bucket") {
        match labels.get("le").and_then(|le| le.parse::<f64>().ok()) {
            Some(le) if !le.is_nan() => (base, Some(le)),
            _ => return,
        }
    } else if let Some(base) = name
        .strip_suffix("_count")
        .or_else(|| name.strip_suffix("_sum"))
    {
        (base, None)
    } else {
        return;
    };
    let labels = labels.filter(|label| label != "le").with(METRIC_NAME, base);
    let times = all.entry(labels).or_default();
    for sample in samples {
        let SampleValue::Float(value) = sample.value else {
            continue;
        };
        let classic = times.entry(sample.timestamp_ms).or_default();
        if let Some(bound) = bound {
            classic.set_bucket(bound, value);
        } else if name.ends_with("_count") {
            classic.count = Some(value);
        } else {
            classic.sum = Some(value);
        }
    }
}

impl Classic {
    /// The first of several buckets with the same bound wins.
    fn set_bucket(&mut self, bound: f64, count: f64) {
        let at = self.buckets.partition_point(|(b, _)| *b < bound);
        if self.buckets.get(at).is_none_or(|(b, _)| *b != bound) {
            self.buckets.insert(at, (bound, count));
        }
    }

    fn native(mut self) -> Result<FloatHistogram, String> {
        let highest = self.buckets.last().copied();
        let count = self
            .count
            .or_else(|| highest.map(|(_, count)| count))
            .unwrap_or(0.0);
        if highest.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut before = 0.0;
        let mut buckets = Vec::with_capacity(self.buckets.len());
        for (_, cumulative) in &self.buckets {
            if *cumulative < before {
                return Err("histogram is not cumulative or has a negative count".to_owned());
            }
            buckets.push(cumulative - before);
            before = *cumulative;
        }
        if before != count {
            return Err(
                "number of observations found in buckets doesn't match the count".to_owned(),
            );
        }
        let bounds: Vec<f64> = self
            .buckets
            .iter()
            .map(|(bound, _)| *bound)
            .filter(|bound| *bound != f64::INFINITY)
            .collect();
        let mut native = FloatHistogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum.unwrap_or(0.0),
            positive_spans: vec![BucketSpan {
                offset: 0,
                length: buckets.len() as u32,
            }],
            positive_buckets: buckets,
            custom_values: Arc::from(bounds),
            ..FloatHistogram::default()
        };
        native.compact();
        native.validate().map_err(|error| error.to_string())?;
        Ok(native)
    }
}

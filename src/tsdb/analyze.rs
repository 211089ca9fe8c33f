//! Which labels make the series many, and which come and go?

use std::collections::BTreeMap;
use std::sync::Arc;

use super::batch::SeriesId;
use super::head::{Head, Largest, NamedCount, PairId};
use crate::model::METRIC_NAME;

/// What `tsdb analyze` shows. Lists begin with the largest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// First and last time.
    pub span: Option<(i64, i64)>,
    /// Series.
    pub series: usize,
    /// Distinct label names.
    pub label_names: usize,
    /// Distinct pairs of name and value.
    pub label_pairs: usize,
    /// Labels of all series together.
    pub entries: u64,
    /// Pairs whose series cover least of the time, by how many whole series would fill the gaps.
    pub churn_by_pair: Vec<NamedCount>,
    /// The same for label names.
    pub churn_by_name: Vec<NamedCount>,
    /// Pairs that most series have.
    pub series_by_pair: Vec<NamedCount>,
    /// Label names by the bytes of their distinct values.
    pub bytes_by_name: Vec<NamedCount>,
    /// Label names by the number of their distinct values.
    pub values_by_name: Vec<NamedCount>,
    /// Metric names by series.
    pub series_by_metric: Vec<NamedCount>,
}

/// How the samples of blocks are packed: one entry for each run of samples of one series.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packing {
    /// Samples of each column of floats.
    pub column_samples: Vec<u64>,
    /// Bytes of the values of each column of floats; times are shared by series.
    pub column_bytes: Vec<u64>,
    /// Samples of each chunk of anything else: native histograms, samples with start timestamps.
    pub chunk_samples: Vec<u64>,
    /// Bytes of each of these chunks.
    pub chunk_bytes: Vec<u64>,
}

impl Packing {
    pub(super) fn add(&mut self, is_float: bool, samples: u64, bytes: u64) {
        let (of_samples, of_bytes) = if is_float {
            (&mut self.column_samples, &mut self.column_bytes)
        } else {
            (&mut self.chunk_samples, &mut self.chunk_bytes)
        };
        of_samples.push(samples);
        of_bytes.push(bytes);
    }
}

#[derive(Default)]
struct OfPair {
    series: u64,
    uncovered_ms: u64,
}

#[derive(Default)]
struct OfName {
    uncovered_ms: u64,
    values: u64,
    bytes: u64,
}

/// Counts the labels of series, each with its first and last time.
pub(super) fn labels(
    head: &Head,
    spans: &[(SeriesId, i64, i64)],
    bounds: Option<(i64, i64)>,
    limit: usize,
) -> Analysis {
    let whole_ms = bounds.map_or(0, |(min, max)| max.abs_diff(min));
    let mut by_pair: BTreeMap<PairId, OfPair> = BTreeMap::new();
    let mut analysis = Analysis {
        span: bounds,
        ..Analysis::default()
    };
    for (id, first_ms, last_ms) in spans {
        let Some(pairs) = head.table().pairs(*id) else {
            continue;
        };
        analysis.series += 1;
        analysis.entries += pairs.len() as u64;
        let uncovered_ms = whole_ms.saturating_sub(last_ms.abs_diff(*first_ms));
        for pair in pairs {
            let of_pair = by_pair.entry(pair).or_default();
            of_pair.series += 1;
            of_pair.uncovered_ms = of_pair.uncovered_ms.saturating_add(uncovered_ms);
        }
    }
    analysis.label_pairs = by_pair.len();
    let whole_series = |uncovered_ms: u64| uncovered_ms / whole_ms.max(1);
    let mut by_name: BTreeMap<Arc<str>, OfName> = BTreeMap::new();
    let mut lists = [(); 3].map(|()| Largest::new(limit));
    let [churn, common, metrics] = &mut lists;
    for (id, of_pair) in by_pair {
        let Some((name, value)) = head.index().text(id) else {
            continue;
        };
        let pair = || format!("{name}={value}");
        churn.add(whole_series(of_pair.uncovered_ms), pair);
        common.add(of_pair.series, pair);
        if &*name == METRIC_NAME {
            metrics.add(of_pair.series, || value.to_string());
        }
        let of_name = by_name.entry(Arc::clone(&name)).or_default();
        of_name.uncovered_ms = of_name.uncovered_ms.saturating_add(of_pair.uncovered_ms);
        of_name.values += 1;
        of_name.bytes += value.len() as u64;
    }
    let [churn, common, metrics] = lists;
    analysis.churn_by_pair = churn.into_list();
    analysis.series_by_pair = common.into_list();
    analysis.series_by_metric = metrics.into_list();
    analysis.label_names = by_name.len();
    let list = |count: fn(&OfName) -> u64, divided: bool| {
        let mut largest = Largest::new(limit);
        for (name, of_name) in &by_name {
            let count = count(of_name);
            let count = if divided { whole_series(count) } else { count };
            largest.add(count, || name.to_string());
        }
        largest.into_list()
    };
    analysis.churn_by_name = list(|of_name| of_name.uncovered_ms, true);
    analysis.bytes_by_name = list(|of_name| of_name.bytes, false);
    analysis.values_by_name = list(|of_name| of_name.values, false);
    analysis
}

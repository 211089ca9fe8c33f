use std::collections::BinaryHeap;

use super::Head;
use crate::model::METRIC_NAME;

/// The label that names a job.
const JOB: &str = "job";

/// A name and how many of something it has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NamedCount {
    /// How many, or how many bytes.
    pub count: u64,
    /// Of what.
    pub name: String,
}

/// What `/api/v1/status/tsdb` tells of the head.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeadStats {
    /// Series in memory.
    pub series: usize,
    /// Chunks in memory.
    pub chunks: usize,
    /// Distinct pairs of label name and value.
    pub label_pairs: usize,
    /// Exemplars in memory.
    pub exemplars: usize,
    /// Bytes that samples take.
    pub sample_bytes: usize,
    /// Time of the oldest sample; `None` when there is none.
    pub min_ms: Option<i64>,
    /// Time of the newest sample; `None` when there is none.
    pub max_ms: Option<i64>,
    /// Metric names with the most series.
    pub series_by_metric: Vec<NamedCount>,
    /// Label names with the most values.
    pub values_by_label: Vec<NamedCount>,
    /// Label names whose values take the most bytes, each value counted once per series.
    pub bytes_by_label: Vec<NamedCount>,
    /// Pairs `name=value` with the most series.
    pub series_by_pair: Vec<NamedCount>,
}

/// What the series of one job use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobUse {
    /// The label `job`; empty for series without it.
    pub job: String,
    /// Series.
    pub series: u64,
    /// Bytes of their samples that are not in blocks yet.
    pub sample_bytes: u64,
}

impl Head {
    /// What the series of each job use, those with most series first; at most `limit`. Walks all series.
    pub(crate) fn jobs(&self, limit: usize) -> Vec<JobUse> {
        let mut without = JobUse::default();
        for (_, series) in self.table.iter_from(0) {
            without.series += u64::from(series.state.indexed);
            without.sample_bytes += series.sample_memory() as u64;
        }
        let mut jobs = Vec::new();
        for (job, pair) in self
            .index
            .values(JOB)
            .into_iter()
            .flat_map(|jobs| jobs.iter())
        {
            let list = self.index.list(*pair);
            let mut used = JobUse {
                job: job.to_string(),
                series: list.map_or(0, |list| list.len() as u64),
                sample_bytes: 0,
            };
            for id in list.into_iter().flat_map(super::list::List::iter) {
                let series = self.table.get(id);
                used.sample_bytes += series.map_or(0, |series| series.sample_memory() as u64);
            }
            without.series = without.series.saturating_sub(used.series);
            without.sample_bytes = without.sample_bytes.saturating_sub(used.sample_bytes);
            jobs.push(used);
        }
        jobs.push(without);
        jobs.retain(|used| used.series > 0);
        jobs.sort_by(|a, b| b.series.cmp(&a.series).then_with(|| a.job.cmp(&b.job)));
        jobs.truncate(limit);
        jobs
    }

    /// How many chunks there are. Walks all series.
    pub(crate) fn chunk_count(&self) -> u64 {
        self.table
            .iter_from(0)
            .map(|(_, series)| series.chunk_count() as u64)
            .sum()
    }

    /// Counts; each list has at most `limit` entries, largest first.
    pub(crate) fn stats(&self, limit: usize) -> HeadStats {
        let mut stats = HeadStats {
            series: self.table.len(),
            exemplars: self.exemplars.len(),
            min_ms: self.span.map(|(min, _)| min),
            max_ms: self.span.map(|(_, max)| max),
            sample_bytes: self.rows.memory(),
            ..HeadStats::default()
        };
        for (_, series) in self.table.iter_from(0) {
            stats.chunks += series.chunk_count();
            stats.sample_bytes += series.sample_memory();
        }
        let (mut metrics, mut values, mut bytes, mut pairs) = (
            Largest::new(limit),
            Largest::new(limit),
            Largest::new(limit),
            Largest::new(limit),
        );
        for (name, of_name) in self.index.names() {
            let mut size = 0;
            for (value, id) in of_name.iter() {
                let count = self.index.list(*id).map_or(0, |list| list.len() as u64);
                if count == 0 {
                    continue;
                }
                size += value.len() as u64 * count;
                pairs.add(count, || format!("{name}={value}"));
                if &**name == METRIC_NAME {
                    metrics.add(count, || value.to_string());
                }
            }
            stats.label_pairs += of_name.len();
            values.add(of_name.len() as u64, || name.to_string());
            bytes.add(size, || name.to_string());
        }
        stats.series_by_metric = metrics.into_list();
        stats.values_by_label = values.into_list();
        stats.bytes_by_label = bytes.into_list();
        stats.series_by_pair = pairs.into_list();
        stats
    }
}

/// Keeps the largest entries; the smallest of them is on top of the heap.
pub(crate) struct Largest {
    heap: BinaryHeap<std::cmp::Reverse<NamedCount>>,
    limit: usize,
}

impl Largest {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            heap: BinaryHeap::new(),
            limit,
        }
    }

    pub(crate) fn add(&mut self, count: u64, name: impl FnOnce() -> String) {
        if self.heap.len() < self.limit {
            let name = name();
            self.heap
                .push(std::cmp::Reverse(NamedCount { count, name }));
        } else if self.heap.peek().is_some_and(|least| least.0.count < count) {
            self.heap.pop();
            let name = name();
            self.heap
                .push(std::cmp::Reverse(NamedCount { count, name }));
        }
    }

    pub(crate) fn into_list(self) -> Vec<NamedCount> {
        let mut list: Vec<NamedCount> = self.heap.into_iter().map(|entry| entry.0).collect();
        list.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        list
    }
}

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::page::Kind;
use super::{Page, Summary};

/// A float that many may change.
#[derive(Debug, Default)]
struct Cell(AtomicU64);

impl Cell {
    fn get(&self) -> f64 {
        f64::from_bits(self.0.load(Ordering::Relaxed))
    }

    fn set(&self, v: f64) {
        self.0.store(v.to_bits(), Ordering::Relaxed);
    }

    fn add(&self, v: f64) {
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |bits| {
                Some((f64::from_bits(bits) + v).to_bits())
            });
    }
}

/// A number that only grows.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<Cell>);

impl Counter {
    /// Adds `v`, which must not be negative.
    pub fn add(&self, v: f64) {
        self.0.add(v);
    }

    /// Adds one.
    pub fn inc(&self) {
        self.0.add(1.0);
    }

    /// The number so far.
    pub fn value(&self) -> f64 {
        self.0.get()
    }
}

/// A number that goes up and down.
#[derive(Debug, Clone, Default)]
pub struct Gauge(Arc<Cell>);

impl Gauge {
    /// Sets it.
    pub fn set(&self, v: f64) {
        self.0.set(v);
    }

    /// Adds `v`, which may be negative.
    pub fn add(&self, v: f64) {
        self.0.add(v);
    }

    /// The number now.
    pub fn value(&self) -> f64 {
        self.0.get()
    }
}

/// Observations counted in buckets.
#[derive(Debug, Clone)]
pub struct Histogram(Arc<HistogramCells>);

#[derive(Debug)]
struct HistogramCells {
    bounds: Vec<f64>,
    /// One per bound, each for itself.
    counts: Vec<AtomicU64>,
    count: AtomicU64,
    sum: Cell,
}

impl Histogram {
    fn new(bounds: &[f64]) -> Self {
        Self(Arc::new(HistogramCells {
            bounds: bounds.to_vec(),
            counts: bounds.iter().map(|_| AtomicU64::new(0)).collect(),
            count: AtomicU64::new(0),
            sum: Cell::default(),
        }))
    }

    /// Counts `v`.
    pub fn observe(&self, v: f64) {
        let at = self.0.bounds.partition_point(|bound| *bound < v);
        if let Some(count) = self.0.counts.get(at) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.0.count.fetch_add(1, Ordering::Relaxed);
        self.0.sum.add(v);
    }
}

#[derive(Debug, Clone)]
enum Metric {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    Summary(Summary),
}

#[derive(Debug)]
struct Family {
    help: &'static str,
    /// Labels in order of their names.
    metrics: BTreeMap<Vec<(String, String)>, Metric>,
}

type Collector = Box<dyn Fn(&mut Page) + Send + Sync>;

/// All self-metrics of a process. Clones share them.
#[derive(Clone, Default)]
pub struct Registry(Arc<Inner>);

#[derive(Default)]
struct Inner {
    families: Mutex<BTreeMap<&'static str, Family>>,
    collectors: Mutex<Vec<Collector>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    /// The counter `name`; it starts at 0 when first asked for.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Counter {
        self.counter_with(name, help, &[])
    }

    /// The counter `name` with `labels`.
    pub fn counter_with(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
    ) -> Counter {
        match self.metric(name, help, labels, || Metric::Counter(Counter::default())) {
            Metric::Counter(counter) => counter,
            // A name used for two kinds: the second is not shown.
            _ => Counter::default(),
        }
    }

    /// The gauge `name`; it starts at 0 when first asked for.
    pub fn gauge(&self, name: &'static str, help: &'static str) -> Gauge {
        self.gauge_with(name, help, &[])
    }

    /// The gauge `name` with `labels`.
    pub fn gauge_with(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
    ) -> Gauge {
        match self.metric(name, help, labels, || Metric::Gauge(Gauge::default())) {
            Metric::Gauge(gauge) => gauge,
            _ => Gauge::default(),
        }
    }

    /// The histogram `name` with `labels`; `bounds` ascend, +Inf is implied.
    pub fn histogram_with(
        &self,
        name: &'static str,
        help: &'static str,
        bounds: &[f64],
        labels: &[(&str, &str)],
    ) -> Histogram {
        match self.metric(name, help, labels, || {
            Metric::Histogram(Histogram::new(bounds))
        }) {
            Metric::Histogram(histogram) => histogram,
            _ => Histogram::new(bounds),
        }
    }

    /// The summary `name` with `labels`, usually of [`Summary::QUANTILES`].
    pub fn summary_with(
        &self,
        name: &'static str,
        help: &'static str,
        quantiles: &'static [f64],
        labels: &[(&str, &str)],
    ) -> Summary {
        match self.metric(name, help, labels, || {
            Metric::Summary(Summary::new(quantiles))
        }) {
            Metric::Summary(summary) => summary,
            _ => Summary::new(quantiles),
        }
    }

    /// Forgets every metric of `name` with these labels among its own, for example of a removed job.
    pub fn forget(&self, name: &str, labels: &[(&str, &str)]) {
        if let Some(family) = self.0.families.lock().get_mut(name) {
            family.metrics.retain(|own, _| {
                !labels
                    .iter()
                    .all(|(n, v)| own.iter().any(|(on, ov)| on == n && ov == v))
            });
        }
    }

    /// Adds a view over live state, asked whenever the page is shown.
    pub fn collector(&self, collect: impl Fn(&mut Page) + Send + Sync + 'static) {
        self.0.collectors.lock().push(Box::new(collect));
    }

    /// The page of now.
    pub fn gather(&self) -> Page {
        let mut page = Page::default();
        for (name, family) in &*self.0.families.lock() {
            for (labels, metric) in &family.metrics {
                let labels: Vec<(&str, &str)> = labels
                    .iter()
                    .map(|(n, v)| (n.as_str(), v.as_str()))
                    .collect();
                add(&mut page, name, family.help, &labels, metric);
            }
        }
        for collect in &*self.0.collectors.lock() {
            collect(&mut page);
        }
        page
    }

    fn metric(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[(&str, &str)],
        new: impl FnOnce() -> Metric,
    ) -> Metric {
        let mut labels: Vec<(String, String)> = labels
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect();
        labels.sort();
        self.0
            .families
            .lock()
            .entry(name)
            .or_insert_with(|| Family {
                help,
                metrics: BTreeMap::new(),
            })
            .metrics
            .entry(labels)
            .or_insert_with(new)
            .clone()
    }
}

fn add(page: &mut Page, name: &str, help: &str, labels: &[(&str, &str)], metric: &Metric) {
    match metric {
        Metric::Counter(counter) => page.counter(name, help, labels, counter.value()),
        Metric::Gauge(gauge) => page.gauge(name, help, labels, gauge.value()),
        Metric::Histogram(histogram) => {
            let cells = &histogram.0;
            let mut total = 0;
            let mut buckets = Vec::with_capacity(cells.bounds.len());
            for (bound, count) in cells.bounds.iter().zip(&cells.counts) {
                total += count.load(Ordering::Relaxed);
                buckets.push((*bound, total));
            }
            let count = cells.count.load(Ordering::Relaxed);
            page.family(name, help, Kind::Histogram);
            page.buckets(name, labels, &buckets, count, cells.sum.get());
        }
        Metric::Summary(summary) => {
            let (quantiles, sum, count) = summary.read();
            page.family(name, help, Kind::Summary);
            page.quantiles(name, labels, &quantiles, sum, count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_groups_families_and_escapes_labels() {
        let registry = Registry::default();
        registry
            .counter_with("b_total", "Counts.", &[("l", "x\"y")])
            .add(2.0);
        registry.gauge("a", "Shows.").set(0.5);
        let histogram = registry.histogram_with("h", "Spreads.", &[1.0, 2.0], &[]);
        histogram.observe(1.0);
        histogram.observe(5.0);
        let summary = registry.summary_with("s", "Sums.", &[0.5], &[("l", "x")]);
        summary.observe(3.0);
        registry.summary_with("t", "Empty.", &[0.5], &[]);
        registry.collector(|page| page.counter("b_total", "Counts.", &[("l", "z")], 1.0));
        assert_eq!(
            registry.gather().to_string(),
            "# HELP a Shows.\n# TYPE a gauge\na 0.5\n\
             # HELP b_total Counts.\n# TYPE b_total counter\nb_total{l=\"x\\\"y\"} 2\nb_total{l=\"z\"} 1\n\
             # HELP h Spreads.\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"2\"} 1\n\
             h_bucket{le=\"+Inf\"} 2\nh_sum 6\nh_count 2\n\
             # HELP s Sums.\n# TYPE s summary\ns{l=\"x\",quantile=\"0.5\"} 3\ns_sum{l=\"x\"} 3\ns_count{l=\"x\"} 1\n\
             # HELP t Empty.\n# TYPE t summary\nt{quantile=\"0.5\"} NaN\nt_sum 0\nt_count 0\n"
        );
    }
}

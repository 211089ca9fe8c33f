//! The memory budget: what is shed when the process comes near its limit, and whose new series are refused?
//!
//! The shell tells how much anonymous memory the process has. At 85 % of the limit caches go and memory is flushed
//! into blocks early, at 90 % clients' queries are refused, at 95 % new series: first those of the targets
//! that brought most in the last ten minutes, at 98 % all. Series that exist go on, and so do rules.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::model::{Labels, METRIC_NAME};

/// Minutes that are remembered.
const MINUTES: usize = 10;

/// Targets that are remembered at once; those that brought least go first.
const ORIGINS_MAX: usize = 4096;

/// Metrics and label names that are counted for one target.
const NAMES_MAX: usize = 64;

/// Fewer new series in ten minutes than this are never somebody's fault.
const HARMLESS: u64 = 500;

/// What a new series is thought to take until memory is measured again, beside its labels.
const SERIES_BYTES: u64 = 1024;

/// What is shed now; each level includes those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Pressure {
    /// Nothing.
    #[default]
    None,
    /// Caches; memory is flushed early.
    Caches,
    /// Queries of clients.
    Queries,
    /// New series of the targets that grow most.
    Series,
    /// All new series but those of alerts.
    AllSeries,
}

impl Pressure {
    /// What `used` of `limit` bytes calls for.
    pub const fn of(used: u64, limit: u64) -> Self {
        if limit == 0 {
            return Self::None;
        }
        match used.saturating_mul(100) / limit {
            0..85 => Self::None,
            85..90 => Self::Caches,
            90..95 => Self::Queries,
            95..98 => Self::Series,
            _ => Self::AllSeries,
        }
    }

    /// 0 to 4.
    pub const fn level(self) -> u8 {
        self as u8
    }

    const fn from_level(level: u8) -> Self {
        match level {
            0 => Self::None,
            1 => Self::Caches,
            2 => Self::Queries,
            3 => Self::Series,
            _ => Self::AllSeries,
        }
    }
}

/// Where series come from: a scrape target, or the rules when both are empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Origin {
    /// The label `job`.
    pub job: String,
    /// The label `instance`.
    pub instance: String,
}

/// How an origin has grown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Growth {
    /// Who.
    pub origin: Origin,
    /// New series in the last ten minutes, refused ones among them.
    pub series: u64,
    /// Series that were refused since the start.
    pub refused: u64,
    /// The metric that most of them have.
    pub metric: String,
    /// The label that brought most new values.
    pub label: String,
}

/// The budget.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    limit: AtomicU64,
    used: AtomicU64,
    pressure: AtomicU8,
    /// What the series since the last measurement are thought to take: many may come between two.
    fresh: AtomicU64,
    minute: AtomicI64,
    refused: AtomicU64,
    origins: Mutex<BTreeMap<Origin, Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    /// By minute, modulo.
    minutes: [(i64, u64); MINUTES],
    refused: u64,
    metrics: BTreeMap<String, u64>,
    labels: BTreeMap<String, u64>,
}

impl Counts {
    fn add(&mut self, minute: i64) {
        let at = minute.rem_euclid(MINUTES as i64) as usize;
        if let Some(slot) = self.minutes.get_mut(at) {
            if slot.0 != minute {
                *slot = (minute, 0);
            }
            slot.1 += 1;
        }
    }

    fn recent(&self, minute: i64) -> u64 {
        self.minutes
            .iter()
            .filter(|(at, _)| minute - at < MINUTES as i64)
            .map(|(_, count)| count)
            .sum()
    }
}

fn count(counts: &mut BTreeMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count += 1;
    } else if counts.len() < NAMES_MAX {
        counts.insert(name.to_owned(), 1);
    }
}

fn most(counts: &BTreeMap<String, u64>) -> String {
    let largest = counts.iter().max_by_key(|(_, count)| **count);
    largest.map(|(name, _)| name.clone()).unwrap_or_default()
}

impl Budget {
    pub(crate) fn set_limit(&self, bytes: u64) {
        self.limit.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Takes note of how much memory the process has; returns what is shed from now on.
    pub(crate) fn measure(&self, now_ms: i64, used: u64) -> Pressure {
        let pressure = Pressure::of(used, self.limit());
        self.used.store(used, Ordering::Relaxed);
        self.fresh.store(0, Ordering::Relaxed);
        self.minute
            .store(now_ms.div_euclid(60_000), Ordering::Relaxed);
        self.pressure.store(pressure.level(), Ordering::Relaxed);
        pressure
    }

    pub(crate) fn pressure(&self) -> Pressure {
        Pressure::from_level(self.pressure.load(Ordering::Relaxed))
    }

    /// Whether a series may be created; it is counted for its origin in any case. `is_new` says of a label
    /// whether no series has had its value so far.
    pub(crate) fn admit(&self, labels: &Labels, is_new: impl Fn(&str, &str) -> bool) -> bool {
        let text = |name| labels.get(name).unwrap_or_default().to_owned();
        let origin = Origin {
            job: text("job"),
            instance: text("instance"),
        };
        let metric = labels.get(METRIC_NAME).unwrap_or_default();
        let minute = self.minute.load(Ordering::Relaxed);
        let mut origins = self.origins.lock();
        let bytes: usize = labels
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let bytes = SERIES_BYTES + 2 * bytes as u64;
        let guessed = self.used() + self.fresh.load(Ordering::Relaxed) + bytes;
        let pressure = self.pressure().max(Pressure::of(guessed, self.limit()));
        if origins.len() >= ORIGINS_MAX && !origins.contains_key(&origin) {
            forget_least(&mut origins, minute);
        }
        let largest = if pressure == Pressure::Series {
            let recent = origins.values().map(|counts| counts.recent(minute));
            recent.max().unwrap_or(0)
        } else {
            0
        };
        let counts = origins.entry(origin).or_default();
        counts.add(minute);
        count(&mut counts.metrics, metric);
        for (name, value) in labels {
            if name != METRIC_NAME && is_new(name, value) {
                count(&mut counts.labels, name);
            }
        }
        // What alerts write about themselves is the last thing to miss.
        let admitted = metric.starts_with("ALERTS")
            || match pressure {
                Pressure::AllSeries => false,
                Pressure::Series => counts.recent(minute) <= HARMLESS.max(largest / 2),
                _ => true,
            };
        if admitted {
            self.fresh.fetch_add(bytes, Ordering::Relaxed);
        } else {
            counts.refused += 1;
            self.refused.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Who has grown, the fastest first; at most `limit`.
    pub(crate) fn growth(&self, limit: usize) -> Vec<Growth> {
        let minute = self.minute.load(Ordering::Relaxed);
        let origins = self.origins.lock();
        let mut list: Vec<Growth> = origins
            .iter()
            .map(|(origin, counts)| Growth {
                origin: origin.clone(),
                series: counts.recent(minute),
                refused: counts.refused,
                metric: most(&counts.metrics),
                label: most(&counts.labels),
            })
            .filter(|growth| growth.series > 0 || growth.refused > 0)
            .collect();
        list.sort_by(|a, b| b.series.cmp(&a.series).then(b.refused.cmp(&a.refused)));
        list.truncate(limit);
        list
    }
}

/// Makes room for new origins: half of them go, those that brought least.
fn forget_least(origins: &mut BTreeMap<Origin, Counts>, minute: i64) {
    let mut recent: Vec<u64> = origins.values().map(|c| c.recent(minute)).collect();
    recent.sort_unstable();
    let median = recent.get(recent.len() / 2).copied().unwrap_or(0);
    let mut over = origins.len() / 2;
    origins.retain(|_, counts| {
        let goes = over > 0 && counts.refused == 0 && counts.recent(minute) <= median;
        over -= usize::from(goes);
        !goes
    });
    if origins.len() >= ORIGINS_MAX {
        origins.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(job: &str, metric: &str, i: u64) -> Labels {
        Labels::from_pairs([
            ("__name__", metric),
            ("job", job),
            ("instance", "h:1"),
            ("path", &format!("/{i}")),
        ])
    }

    #[test]
    fn levels_follow_the_share_of_the_limit() {
        let levels = [0, 84, 85, 90, 95, 98, 200].map(|used| Pressure::of(used, 100).level());
        assert_eq!(levels, [0, 0, 1, 2, 3, 4, 4]);
        assert_eq!(Pressure::of(1 << 40, 0), Pressure::None);
    }

    #[test]
    fn who_grew_most_is_refused_first_and_named() {
        let budget = Budget::default();
        budget.set_limit(1000 << 20);
        budget.measure(60_000, 100 << 20);
        for i in 0..5000 {
            assert!(budget.admit(&labels("bomb", "requests", i), |name, _| name == "path"));
        }
        assert!(budget.admit(&labels("good", "up", 0), |_, _| true));
        assert_eq!(budget.measure(120_000, 960 << 20), Pressure::Series);
        assert!(!budget.admit(&labels("bomb", "requests", 9999), |_, _| true));
        assert!(budget.admit(&labels("good", "up", 1), |_, _| true));
        assert!(budget.admit(&labels("bomb", "ALERTS", 1), |_, _| true));
        let growth = budget.growth(1);
        assert_eq!(growth[0].origin.job, "bomb");
        assert_eq!(growth[0].metric, "requests");
        assert_eq!(growth[0].label, "path");
        assert_eq!((growth[0].refused, budget.refused()), (1, 1));
        assert_eq!(budget.measure(121_000, 990 << 20), Pressure::AllSeries);
        assert!(!budget.admit(&labels("good", "up", 2), |_, _| true));
        // Ten quiet minutes later nobody has grown, and there is room.
        budget.measure(121_000 + 600_000, 100 << 20);
        assert!(budget.admit(&labels("bomb", "requests", 10_000), |_, _| true));
        assert_eq!(budget.growth(9)[0].series, 1);
    }

    #[test]
    fn a_burst_between_two_measurements_is_stopped_before_the_limit() {
        let budget = Budget::default();
        budget.set_limit(100 << 20);
        budget.measure(60_000, 80 << 20);
        let series = |i| labels("bomb", "requests", i);
        let admitted = (0..100_000).filter(|i| budget.admit(&series(*i), |_, _| true));
        let admitted = admitted.count();
        assert!((5_000..20_000).contains(&admitted), "{admitted}");
        budget.measure(61_000, 80 << 20);
        assert!(
            budget.admit(&labels("good", "up", 1), |_, _| true),
            "measured again"
        );
    }

    #[test]
    fn a_crowd_of_origins_takes_bounded_memory() {
        let budget = Budget::default();
        for i in 0..3 * ORIGINS_MAX as u64 {
            budget.admit(&labels(&i.to_string(), "m", i), |_, _| true);
        }
        assert!(budget.origins.lock().len() <= ORIGINS_MAX);
    }
}

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// compat: upstream's quantiles look back ten minutes, in five steps.
const WINDOWS: usize = 5;
const WINDOW: Duration = Duration::from_mins(2);
/// Neighbouring buckets differ by so much, so a quantile is known to a hundredth of its value.
const GROWTH: f64 = 1.02;
/// Values from about 1e-17 to 1e17 have buckets of their own.
const BUCKET_MAX: i32 = 2000;
/// The bucket of zero and of what is below.
const ZERO: i32 = -BUCKET_MAX - 1;

/// Observations as quantiles over the last ten minutes, with a sum and a count of all.
#[derive(Debug, Clone)]
pub struct Summary(Arc<Mutex<Cells>>);

#[derive(Debug)]
struct Cells {
    quantiles: &'static [f64],
    /// The youngest first.
    windows: [Window; WINDOWS],
    /// When the youngest began.
    since: Instant,
    count: u64,
    sum: f64,
}

/// What was observed in one step.
#[derive(Debug, Default)]
struct Window {
    buckets: BTreeMap<i32, u64>,
    /// Smallest and largest value: estimates stay between them.
    bounds: Option<(f64, f64)>,
}

impl Summary {
    /// The usual quantiles.
    pub const QUANTILES: &'static [f64] = &[0.5, 0.9, 0.99];
    /// The usual ones and two low ones, as upstream has them for intervals.
    pub const QUANTILES_WIDE: &'static [f64] = &[0.01, 0.05, 0.5, 0.9, 0.99];

    pub(super) fn new(quantiles: &'static [f64]) -> Self {
        Self(Arc::new(Mutex::new(Cells {
            quantiles,
            windows: Default::default(),
            since: Instant::now(),
            count: 0,
            sum: 0.0,
        })))
    }

    /// Counts `v`.
    pub fn observe(&self, v: f64) {
        let mut cells = self.0.lock();
        cells.rotate(Instant::now());
        cells.count += 1;
        cells.sum += v;
        if v.is_nan() {
            return;
        }
        let window = &mut cells.windows[0];
        *window.buckets.entry(bucket(v)).or_default() += 1;
        let (low, high) = window.bounds.unwrap_or((v, v));
        window.bounds = Some((low.min(v), high.max(v)));
    }

    /// Each quantile with its value, NaN when nothing was observed lately; sum and count.
    pub(super) fn read(&self) -> (Vec<(f64, f64)>, f64, u64) {
        let mut cells = self.0.lock();
        cells.rotate(Instant::now());
        let values = cells.quantiles.iter().map(|q| (*q, cells.quantile(*q)));
        (values.collect(), cells.sum, cells.count)
    }
}

impl Cells {
    /// Lets windows go that are over.
    fn rotate(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since).as_secs() / WINDOW.as_secs();
        let steps = usize::try_from(passed).unwrap_or(WINDOWS).min(WINDOWS);
        if steps == 0 {
            return;
        }
        self.windows.rotate_right(steps);
        for window in &mut self.windows[..steps] {
            *window = Window::default();
        }
        self.since = if steps == WINDOWS {
            now
        } else {
            self.since + WINDOW * steps as u32
        };
    }

    fn quantile(&self, q: f64) -> f64 {
        let mut merged: BTreeMap<i32, u64> = BTreeMap::new();
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for window in &self.windows {
            for (bucket, count) in &window.buckets {
                *merged.entry(*bucket).or_default() += count;
            }
            if let Some(bounds) = window.bounds {
                low = low.min(bounds.0);
                high = high.max(bounds.1);
            }
        }
        let total: u64 = merged.values().sum();
        if total == 0 {
            return f64::NAN;
        }
        let rank = ((q * total as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in merged {
            seen += count;
            if seen >= rank {
                return middle(bucket).clamp(low, high);
            }
        }
        high
    }
}

fn bucket(v: f64) -> i32 {
    if v <= 0.0 {
        return ZERO;
    }
    let at = (v.ln() / GROWTH.ln()).ceil();
    (at as i32).clamp(-BUCKET_MAX, BUCKET_MAX)
}

fn middle(bucket: i32) -> f64 {
    if bucket == ZERO {
        return 0.0;
    }
    2.0 * GROWTH.powi(bucket) / (1.0 + GROWTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_hundredth() {
        let summary = Summary::new(Summary::QUANTILES);
        for n in 1..=1000 {
            summary.observe(f64::from(n) / 1000.0);
        }
        let (quantiles, sum, count) = summary.read();
        assert_eq!(count, 1000);
        assert!((sum - 500.5).abs() < 1e-6, "{sum}");
        for (q, value) in quantiles {
            assert!((value / q - 1.0).abs() < 0.011, "{q}: {value}");
        }
    }

    #[test]
    fn one_value_is_told_exactly_and_none_as_nan() {
        let summary = Summary::new(Summary::QUANTILES_WIDE);
        assert!(summary.read().0.iter().all(|(_, v)| v.is_nan()));
        summary.observe(2.000_114_612);
        assert!(summary.read().0.iter().all(|(_, v)| *v == 2.000_114_612));
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE] {
            summary.observe(odd);
        }
        assert_eq!(summary.read().2, 6);
    }

    #[test]
    fn old_values_are_forgotten_and_still_counted() {
        let summary = Summary::new(Summary::QUANTILES);
        summary.observe(1.0);
        let mut cells = summary.0.lock();
        let began = cells.since;
        cells.rotate(began + Duration::from_mins(9));
        assert_eq!(cells.quantile(0.5), 1.0);
        cells.rotate(began + Duration::from_mins(10));
        assert!(cells.quantile(0.5).is_nan());
        assert_eq!(cells.count, 1);
    }
}

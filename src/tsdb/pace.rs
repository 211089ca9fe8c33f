//! How fast the log grows: has a burst of writes ended, so that what it left behind should not wait in the log?

/// Growth is looked at over stretches of at least so long.
const STRETCH_MS: i64 = 5_000;

/// A stretch is quiet when the log grows so many times slower than on average since it was cut.
const QUIET_FACTOR: u128 = 16;

/// How the log has grown since it was cut. Who writes now and then, as a scraper of one large target, makes pauses too:
/// only one that is longer than those before it is an end.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the log was cut, and how many bytes were left.
    cut: (i64, u64),
    /// When the current stretch began, and with how many bytes.
    stretch: (i64, u64),
    /// How long the log has been quiet.
    quiet_ms: i64,
    /// The longest pause after which it grew again.
    longest_pause_ms: i64,
}

impl Pace {
    /// Begins with a log of so many bytes.
    pub(super) const fn new(now_ms: i64, bytes: u64) -> Self {
        Self {
            cut: (now_ms, bytes),
            stretch: (now_ms, bytes),
            quiet_ms: 0,
            longest_pause_ms: 0,
        }
    }

    /// Takes note of how many bytes the log has; calling often changes nothing.
    pub(super) fn measure(&mut self, now_ms: i64, bytes: u64) {
        let elapsed_ms = now_ms.saturating_sub(self.stretch.0);
        let Some(grown) = bytes
            .checked_sub(self.stretch.1)
            .filter(|_| elapsed_ms >= 0)
        else {
            // The log was cut, or the clock was put back.
            *self = Self::new(now_ms, bytes);
            return;
        };
        if elapsed_ms < STRETCH_MS {
            return;
        }
        let age_ms = now_ms.saturating_sub(self.cut.0);
        let total = bytes.saturating_sub(self.cut.1);
        let product = |bytes: u64, ms: i64| u128::from(bytes) * u128::from(ms.unsigned_abs());
        if product(grown, age_ms).saturating_mul(QUIET_FACTOR) <= product(total, elapsed_ms) {
            self.quiet_ms = self.quiet_ms.saturating_add(elapsed_ms);
        } else {
            self.longest_pause_ms = self.longest_pause_ms.max(self.quiet_ms);
            self.quiet_ms = 0;
        }
        self.stretch = (now_ms, bytes);
    }

    /// Whether the log grew and has been quiet for so long that it is not just another pause.
    pub(super) const fn has_ended(&self) -> bool {
        let pause_ms = self.longest_pause_ms.saturating_mul(2);
        self.stretch.1 > self.cut.1 && self.quiet_ms >= pause_ms.saturating_add(STRETCH_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1000;
    const DAY: i64 = 24 * 3600;

    /// Looks every second at a log that has `written(second)` bytes more each second; the first second at which
    /// all had ended.
    fn ended(seconds: i64, written: impl Fn(i64) -> u64) -> Option<i64> {
        let mut bytes = 28;
        let mut pace = Pace::new(0, bytes);
        (1..=seconds).find(|second| {
            bytes += written(*second);
            pace.measure(second * SECOND, bytes);
            pace.has_ended()
        })
    }

    #[test]
    fn a_burst_has_ended_some_seconds_after_its_last_write() {
        assert_eq!(ended(100, |s| if s <= 30 { 2 << 20 } else { 0 }), Some(35));
        assert_eq!(ended(100, |s| if s <= 3 { 2 << 20 } else { 0 }), Some(10));
        // Also when something goes on beside it.
        let beside = |s| if s <= 30 { 2 << 20 } else { 50_000 };
        assert_eq!(ended(100, beside), Some(35));
        // A sender that takes a breath goes on.
        let breathing = |s| u64::from(s <= 30 && s % 4 == 0) << 20;
        assert_eq!(ended(100, breathing), Some(35));
    }

    #[test]
    fn who_writes_steadily_never_ends() {
        assert_eq!(ended(DAY, |_| 0), None, "nothing was written");
        assert_eq!(ended(DAY, |_| 100_000), None);
        assert_eq!(ended(DAY, |s| if s < 100 { 20_000 } else { 2_000 }), None);
        for interval in [2, 5, 7, 10, 15, 30, 60, 300] {
            let mut bytes = 0;
            let mut pace = Pace::new(0, 0);
            let ends = (1..=DAY).filter(|second| {
                // Sometimes it comes a second late.
                let is_late = (second / interval) % 7 == 3;
                bytes += u64::from(second % interval == i64::from(is_late)) * 1_000_000;
                pace.measure(second * SECOND, bytes);
                pace.has_ended()
            });
            let latest = ends.last().unwrap_or(0);
            // How long its pauses are is only known after the first ones and the first late one.
            assert!(latest < 4 * interval, "every {interval} s: {latest}");
        }
    }

    #[test]
    fn a_cut_or_a_clock_that_goes_back_begins_anew() {
        let mut pace = Pace::new(0, 0);
        for second in 1..=10 {
            pace.measure(second * SECOND, 1000);
        }
        assert!(pace.has_ended());
        pace.measure(11 * SECOND, 28);
        assert!(!pace.has_ended());
        pace.measure(20 * SECOND, 5000);
        pace.measure(25 * SECOND, 5000);
        assert!(pace.has_ended());
        pace.measure(0, 5000);
        assert!(!pace.has_ended());
        pace.measure(i64::MAX, u64::MAX);
        pace.measure(i64::MIN, u64::MAX);
        assert!(!pace.has_ended());
    }
}

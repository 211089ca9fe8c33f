use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Span, Timestamp, WallTime};

/// The daemon's clock. Every loop asks it for `now` and sleeps by it, so that the demo can play an hour in
/// a minute through the same code.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    origin_ns: i64,
    /// How many seconds of the daemon's time pass in a real second.
    factor: u32,
}

impl Clock {
    /// The real time.
    pub fn real() -> Self {
        Self::compressed(1)
    }

    /// A clock that begins at the real time and runs `factor` times as fast; 0 counts as 1.
    pub fn compressed(factor: u32) -> Self {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            started: Instant::now(),
            origin_ns: i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX),
            factor: factor.max(1),
        }
    }

    /// The time now. The real clock follows adjustments of the system's; a compressed one only runs on.
    pub fn now(&self) -> WallTime {
        if self.factor == 1 {
            let since_epoch = SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default();
            return WallTime::from_ns(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX));
        }
        let passed = self
            .started
            .elapsed()
            .as_nanos()
            .saturating_mul(u128::from(self.factor));
        WallTime::from_ns(
            self.origin_ns
                .saturating_add(i64::try_from(passed).unwrap_or(i64::MAX)),
        )
    }

    /// The time now on the sample axis.
    pub fn timestamp(&self) -> Timestamp {
        self.now().to_timestamp()
    }

    /// How long `span` of the daemon's time takes for real; nothing for negative spans.
    pub fn real_duration(&self, span: Span) -> Duration {
        span.to_std() / self.factor
    }

    /// Sleeps for `span` of the daemon's time.
    pub async fn sleep(&self, span: Span) {
        tokio::time::sleep(self.real_duration(span)).await;
    }

    /// Sleeps for so many nanoseconds of the daemon's time, and up to a millisecond longer; not at all for 0 or less.
    pub async fn sleep_ns(&self, ns: i64) {
        if let Ok(ns @ 1..) = u64::try_from(ns) {
            tokio::time::sleep(Duration::from_nanos(ns) / self.factor).await;
        }
    }

    /// Sleeps until `time`; returns at once when it has passed.
    pub async fn sleep_until(&self, time: Timestamp) {
        self.sleep(time.since(self.timestamp())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_clock_runs_faster_and_sleeps_shorter() {
        let clock = Clock::compressed(1000);
        assert_eq!(
            clock.real_duration(Span::seconds(60)),
            Duration::from_millis(60)
        );
        assert_eq!(clock.real_duration(Span::seconds(-5)), Duration::ZERO);
        let before = clock.now();
        std::thread::sleep(Duration::from_millis(2));
        assert!(clock.now().since(before) >= Span::seconds(2));
    }
}

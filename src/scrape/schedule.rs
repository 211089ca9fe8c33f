use super::Place;
use crate::time::{Timestamp, WallTime};

/// How far a scrape may be from its slot and still get the slot's time, in nanoseconds. It is never
/// more than a hundredth of the interval.
const TOLERANCE_NS: i64 = 2_000_000;

/// When a target is scraped: at the same place in every interval, whatever happened before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    interval_ns: i64,
    due: WallTime,
}

impl Schedule {
    /// Plans the first scrape of the target with this place.
    pub fn new(now: WallTime, place: &Place) -> Self {
        let interval_ns = place.interval_ns();
        let base = interval_ns - now.as_ns().rem_euclid(interval_ns);
        let mut wait = base.saturating_add(place.offset_ns());
        if wait > interval_ns {
            wait -= interval_ns;
        }
        Self {
            interval_ns,
            due: WallTime::from_ns(now.as_ns().saturating_add(wait)),
        }
    }

    /// When the next scrape is due.
    pub const fn due(&self) -> WallTime {
        self.due
    }

    /// Notes that a scrape begins at `now` and gives it its time: that of the slot when it is close.
    /// The next scrape is due one interval later; slots that passed while another scrape went on are
    /// made up for by one scrape. When the clock was put back, the next slot after `now` is the next.
    pub fn begin(&mut self, now: WallTime) -> Timestamp {
        let now = now.as_ns();
        let interval = self.interval_ns;
        let mut slot = self.due.as_ns();
        if now > slot {
            slot += (now - slot) / interval * interval;
        }
        let behind = slot.saturating_sub(now);
        let next = if behind > interval {
            slot - (behind - 1) / interval * interval
        } else {
            slot.saturating_add(interval)
        };
        self.due = WallTime::from_ns(next);
        let tolerance = TOLERANCE_NS.min(interval / 100);
        let at = if (0..=tolerance).contains(&(now - slot)) {
            slot
        } else {
            now
        };
        WallTime::from_ns(at).to_timestamp()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::scrape::Places;
    use crate::time::Span;

    const fn ms(ms: i64) -> WallTime {
        WallTime::from_ms(ms)
    }

    fn every_ten_seconds(now: i64, offset_ns: u64) -> Schedule {
        let places = Arc::new(Places::new(0));
        Schedule::new(ms(now), &places.take(Span::seconds(10), offset_ns))
    }

    #[test]
    fn the_first_scrape_lies_at_the_targets_place_in_the_interval() {
        for now in [1_000_000, 1_003_700, 1_009_999] {
            let schedule = every_ten_seconds(now, 3_000_000_000);
            assert_eq!(schedule.due().as_ms() % 10_000, 3_000, "{now}");
            let wait = schedule.due().as_ms() - now;
            assert!((1..=10_000).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn small_delays_are_aligned_and_large_ones_are_not() {
        let mut schedule = every_ten_seconds(0, 5_000_000_000);
        assert_eq!(schedule.begin(ms(5_001)).as_ms(), 5_000);
        assert_eq!(schedule.begin(ms(15_002)).as_ms(), 15_000);
        assert_eq!(schedule.begin(ms(25_003)).as_ms(), 25_003);
        assert_eq!(schedule.begin(ms(35_000)).as_ms(), 35_000);
    }

    #[test]
    fn a_clock_that_is_put_back_stops_no_scrapes() {
        let mut schedule = every_ten_seconds(7_200_000, 5_000_000_000);
        assert_eq!(schedule.due(), ms(7_205_000));
        assert_eq!(schedule.begin(ms(3_605_000)).as_ms(), 3_605_000);
        assert_eq!(schedule.due(), ms(3_615_000));
        assert_eq!(schedule.begin(ms(3_615_001)).as_ms(), 3_615_000);
        let mut early = every_ten_seconds(0, 5_000_000_000);
        assert_eq!(early.begin(ms(4_990)).as_ms(), 4_990);
        assert_eq!(early.due(), ms(15_000));
    }

    #[test]
    fn missed_slots_are_made_up_for_by_one_scrape() {
        let mut schedule = every_ten_seconds(0, 5_000_000_000);
        schedule.begin(ms(5_000));
        assert_eq!(schedule.due(), ms(15_000));
        assert_eq!(schedule.begin(ms(47_000)).as_ms(), 47_000);
        assert_eq!(schedule.due(), ms(55_000));
    }
}

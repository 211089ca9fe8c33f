use std::hash::Hasher as _;

use crate::model::Labels;
use crate::model::labels::Fnv64;
use crate::time::{Span, Timestamp, WallTime};

/// How far a scrape may be from its slot and still get the slot's time, in nanoseconds. It is never
/// more than a hundredth of the interval.
const TOLERANCE_NS: i64 = 2_000_000;

/// The seed by which this server spreads its scrapes, so that two servers do not hit a target together.
///
/// compat: upstream hashes the host's name and the external labels.
pub fn offset_seed(hostname: &str, external_labels: &Labels) -> u64 {
    let mut hash = Fnv64::default();
    hash.write(hostname.as_bytes());
    hash.write(external_labels.to_string().as_bytes());
    hash.finish()
}

/// When a target is scraped: at the same place in every interval, whatever happened before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    interval_ns: i64,
    due: WallTime,
}

impl Schedule {
    /// Plans the first scrape of the target with this hash.
    pub fn new(now: WallTime, interval: Span, target_hash: u64, seed: u64) -> Self {
        let interval_ns = interval.as_ms().max(1).saturating_mul(1_000_000);
        let base = interval_ns - now.as_ns().rem_euclid(interval_ns);
        let offset = ((target_hash ^ seed) % interval_ns.unsigned_abs()) as i64;
        let mut wait = base.saturating_add(offset);
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
    /// made up for by one scrape.
    pub fn begin(&mut self, now: WallTime) -> Timestamp {
        let now = now.as_ns();
        let interval = self.interval_ns;
        let mut slot = self.due.as_ns();
        if now > slot {
            slot += (now - slot) / interval * interval;
        }
        self.due = WallTime::from_ns(slot.saturating_add(interval));
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
    use super::*;

    const fn ms(ms: i64) -> WallTime {
        WallTime::from_ms(ms)
    }

    #[test]
    fn the_first_scrape_lies_at_the_targets_place_in_the_interval() {
        for now in [1_000_000, 1_003_700, 1_009_999] {
            let schedule = Schedule::new(ms(now), Span::seconds(10), 3_000_000_000, 0);
            assert_eq!(schedule.due().as_ms() % 10_000, 3_000, "{now}");
            let wait = schedule.due().as_ms() - now;
            assert!((1..=10_000).contains(&wait), "{wait}");
        }
    }

    #[test]
    fn small_delays_are_aligned_and_large_ones_are_not() {
        let mut schedule = Schedule::new(ms(0), Span::seconds(10), 5_000_000_000, 0);
        assert_eq!(schedule.begin(ms(5_001)).as_ms(), 5_000);
        assert_eq!(schedule.begin(ms(15_002)).as_ms(), 15_000);
        assert_eq!(schedule.begin(ms(25_003)).as_ms(), 25_003);
        assert_eq!(schedule.begin(ms(35_000)).as_ms(), 35_000);
    }

    #[test]
    fn missed_slots_are_made_up_for_by_one_scrape() {
        let mut schedule = Schedule::new(ms(0), Span::seconds(10), 5_000_000_000, 0);
        schedule.begin(ms(5_000));
        assert_eq!(schedule.due(), ms(15_000));
        assert_eq!(schedule.begin(ms(47_000)).as_ms(), 47_000);
        assert_eq!(schedule.due(), ms(55_000));
    }
}

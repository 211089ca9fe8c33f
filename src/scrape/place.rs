//! Where in its interval a target is scraped.
//!
//! Targets are spread over the interval, so that nobody has all of them at once. But to wake up for a scrape, with
//! caches that are cold by then, costs as much as a good part of the scrape: so a few targets whose places lie close
//! together share one and are scraped one after the other, by the same thread.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::time::Span;

/// Targets share a place when their own lie in the same stretch of this length, in milliseconds.
const STRETCH_MS: i64 = 50;

/// A stretch is at most one in so many parts of the interval.
const STRETCHES_MIN: i64 = 20;

/// So many share a place at most: the last of them shall begin in time too.
const SHARED_BY_MAX: u32 = 8;

/// The places of all targets of a server.
#[derive(Debug, Default)]
pub struct Places {
    seed: u64,
    /// How many targets share the place at the begin of a stretch, by interval and number of the stretch.
    shared: Mutex<BTreeMap<(i64, i64), u32>>,
}

/// The place of one target, its own or shared, until it is dropped.
#[derive(Debug)]
pub struct Place {
    interval_ns: i64,
    offset_ns: i64,
    lane: u64,
    /// Where it is counted, if it is shared.
    held: Option<(Arc<Places>, i64)>,
}

impl Places {
    /// No targets yet. `seed` differs from server to server, so that two do not hit a target together.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            shared: Mutex::default(),
        }
    }

    /// A place for the target with this hash. It is the same after each restart, but for the 50 ms within which targets share one.
    pub fn take(self: &Arc<Self>, interval: Span, target_hash: u64) -> Place {
        let interval_ms = interval.as_ms().max(1);
        let interval_ns = interval_ms.saturating_mul(1_000_000);
        let spread = target_hash ^ self.seed;
        let mut place = Place {
            interval_ns,
            offset_ns: (spread % interval_ns.unsigned_abs()) as i64,
            lane: spread,
            held: None,
        };
        let stretch_ns = STRETCH_MS.min(interval_ms / STRETCHES_MIN) * 1_000_000;
        if stretch_ns == 0 {
            return place;
        }
        let stretch = place.offset_ns / stretch_ns;
        let mut shared = self.shared.lock();
        let count = shared.entry((interval_ns, stretch)).or_default();
        if *count < SHARED_BY_MAX {
            *count += 1;
            place.offset_ns = stretch * stretch_ns;
            place.lane = stretch.unsigned_abs();
            place.held = Some((Arc::clone(self), stretch));
        }
        place
    }
}

impl Place {
    /// The interval, in nanoseconds.
    pub(super) const fn interval_ns(&self) -> i64 {
        self.interval_ns
    }

    /// How long after the begin of each interval, in nanoseconds.
    pub(super) const fn offset_ns(&self) -> i64 {
        self.offset_ns
    }

    /// Targets with the same number here are scraped by the same thread.
    pub const fn lane(&self) -> u64 {
        self.lane
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((places, stretch)) = self.held.take() else {
            return;
        };
        let mut shared = places.shared.lock();
        let key = (self.interval_ns, stretch);
        if let Some(count) = shared.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                shared.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    #[test]
    fn a_few_targets_share_a_place_and_a_thread() {
        let places = Arc::new(Places::new(0));
        let take = |ms: u64| places.take(Span::seconds(10), ms * 1_000_000);
        let shared: Vec<Place> = (0..8).map(|i| take(3_001 + i)).collect();
        for place in &shared {
            assert_eq!((place.offset_ns, place.lane), (3_000 * MS, 60));
        }
        let own = take(3_049);
        assert_eq!(own.offset_ns, 3_049 * MS, "the place is full");
        assert_eq!(take(3_050).offset_ns, 3_050 * MS);
        let other = places.take(Span::seconds(5), 3_049 * 1_000_000);
        assert_eq!(other.offset_ns, 3_000 * MS, "another interval");
        drop(shared);
        assert_eq!(take(3_049).offset_ns, 3_000 * MS);
        drop((own, other));
        assert!(places.shared.lock().is_empty());
    }

    #[test]
    fn short_intervals_have_short_stretches() {
        let places = Arc::new(Places::new(0));
        assert_eq!(
            places.take(Span::from_ms(200), 19_999_999).offset_ns,
            10 * MS
        );
        assert_eq!(
            places.take(Span::from_ms(10), 9_999_999).offset_ns,
            9_999_999
        );
    }

    #[test]
    fn servers_differ() {
        let offset = |seed| {
            let places = Arc::new(Places::new(seed));
            places.take(Span::seconds(15), 77).offset_ns
        };
        assert_ne!(offset(1), offset(1 << 40));
    }
}

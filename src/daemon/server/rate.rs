//! `rate_limit`: a bucket of tokens, one for each request that is answered.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

use crate::config::web::RateLimit;

/// The bucket. It is full at first, and gets a token back per interval.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: RateLimit,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tokens: u64,
    /// When the last token that is counted came in.
    counted: Instant,
}

impl Limiter {
    pub(super) fn new(limit: RateLimit, now: Instant) -> Self {
        Self {
            limit,
            state: Mutex::new(State {
                tokens: limit.burst,
                counted: now,
            }),
        }
    }

    /// Takes a token; false when there is none.
    pub(super) fn allow(&self, now: Instant) -> bool {
        let RateLimit { burst, interval } = self.limit;
        let mut state = self.state.lock();
        let passed = now.saturating_duration_since(state.counted);
        let earned = u64::try_from(passed.as_nanos() / interval.as_nanos().max(1));
        let earned = earned.unwrap_or(u64::MAX);
        if earned >= burst - state.tokens.min(burst) {
            state.tokens = burst;
            state.counted = now;
        } else if earned > 0 {
            state.tokens += earned;
            let nanos = interval.as_nanos().saturating_mul(u128::from(earned));
            state.counted += Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        }
        if state.tokens == 0 {
            return false;
        }
        state.tokens -= 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_and_then_one_per_interval() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let limit = |burst| RateLimit {
            burst,
            interval: Duration::from_millis(100),
        };
        let limiter = Limiter::new(limit(2), start);
        let seen: Vec<bool> = [0, 0, 0, 99, 100, 100, 150, 200, 1000, 1000, 1000]
            .into_iter()
            .map(|ms| limiter.allow(at(ms)))
            .collect();
        let wanted = [
            true, true, false, false, true, false, false, true, true, true, false,
        ];
        assert_eq!(seen, wanted);
        let closed = Limiter::new(limit(0), start);
        assert!(!closed.allow(at(0)) && !closed.allow(at(10_000)));
    }
}

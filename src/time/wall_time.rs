use std::fmt;
use std::ops::{Add, Sub};

use super::{Span, Timestamp};

/// A point in time in nanoseconds since the Unix epoch, as alerts carry it.
///
/// [`WallTime::ZERO`] is Go's zero time, the first of January of year 1, which means "not set" in
/// Alertmanager's payloads. It sorts before every other value.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(i64);

impl WallTime {
    /// Go's zero time, `0001-01-01T00:00:00Z`.
    pub const ZERO: Self = Self(i64::MIN);

    /// Takes nanoseconds since the epoch.
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }

    /// Takes milliseconds since the epoch; saturates.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the epoch. Meaningless for [`WallTime::ZERO`].
    pub const fn as_ns(self) -> i64 {
        self.0
    }

    /// Milliseconds since the epoch, rounded down.
    pub const fn as_ms(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whether this is Go's zero time.
    pub const fn is_zero(self) -> bool {
        self.0 == i64::MIN
    }

    /// The same point on the sample axis, rounded down to the millisecond.
    pub const fn to_timestamp(self) -> Timestamp {
        Timestamp::from_ms(self.as_ms())
    }

    /// The span since `earlier`, rounded down to milliseconds; saturates.
    pub const fn since(self, earlier: Self) -> Span {
        Span::from_ms(self.0.saturating_sub(earlier.0).div_euclid(1_000_000))
    }

    /// Reads an RFC 3339 time. Go's zero time becomes [`WallTime::ZERO`].
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        if text.starts_with("0001-01-01T00:00:00") {
            return Some(Self::ZERO);
        }
        let t: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(t.as_nanosecond()).ok().map(Self)
    }
}

impl From<Timestamp> for WallTime {
    fn from(t: Timestamp) -> Self {
        Self::from_ms(t.as_ms())
    }
}

impl Add<Span> for WallTime {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self(
            self.0
                .saturating_add(span.as_ms().saturating_mul(1_000_000)),
        )
    }
}

impl Sub<Span> for WallTime {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self(
            self.0
                .saturating_sub(span.as_ms().saturating_mul(1_000_000)),
        )
    }
}

/// RFC 3339 in UTC with as many fraction digits as needed, as Go's `RFC3339Nano` prints.
impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_zero() {
            return f.write_str("0001-01-01T00:00:00Z");
        }
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => f.write_str("0001-01-01T00:00:00Z"),
        }
    }
}

impl fmt::Debug for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_time_round_trips_as_go_prints_it() {
        assert_eq!(WallTime::ZERO.to_string(), "0001-01-01T00:00:00Z");
        assert_eq!(
            WallTime::parse_rfc3339("0001-01-01T00:00:00Z"),
            Some(WallTime::ZERO)
        );
    }

    #[test]
    fn nanoseconds_survive_the_text_form() {
        let t = WallTime::parse_rfc3339("2024-05-06T07:08:09.123456789+02:00").expect("valid time");
        assert_eq!(t.to_string(), "2024-05-06T05:08:09.123456789Z");
    }
}

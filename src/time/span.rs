use std::fmt;

use crate::text::duration;

/// A signed length of time in milliseconds.
///
/// Its text form is Prometheus's: `1h30m`, `15s`, `250ms`, `0s`.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Span(i64);

impl Span {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// Takes milliseconds.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Takes seconds; saturates.
    pub const fn seconds(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Takes minutes; saturates.
    pub const fn minutes(minutes: i64) -> Self {
        Self(minutes.saturating_mul(60_000))
    }

    /// Takes hours; saturates.
    pub const fn hours(hours: i64) -> Self {
        Self(hours.saturating_mul(3_600_000))
    }

    /// The length in milliseconds.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// The length in seconds as a float.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The length as a standard duration; negative spans become zero.
    pub const fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(if self.0 < 0 { 0 } else { self.0 as u64 })
    }

    /// Whether the length is zero.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Parses Prometheus's text form (`1h30m`, `0`). Units in order y w d h m s ms; no fractions.
    pub fn parse(text: &str) -> Result<Self, duration::ParseError> {
        duration::parse_ms(text).map(Self)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&duration::format_ms(self.0))
    }
}

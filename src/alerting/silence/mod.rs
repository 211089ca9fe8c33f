//! Silences: who asked for quiet, about what, and how long.

mod store;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use super::matchers::Syntax;
use super::{Error, Matcher, Matchers};
use crate::model::{Labels, MatchOp};
use crate::text::quote::quote;
use crate::time::{Span, WallTime};

pub use store::{SilenceLimits, Silences};

/// One silence.
#[derive(Debug, Clone, PartialEq)]
pub struct Silence {
    /// The id; empty for a new one.
    pub id: String,
    /// The silence holds for alerts that fulfil every matcher of any of these sets.
    pub matcher_sets: Vec<Matchers>,
    /// First moment.
    pub starts_at: WallTime,
    /// Last moment.
    pub ends_at: WallTime,
    /// When it was last changed.
    pub updated_at: WallTime,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Further notes, by name.
    pub annotations: BTreeMap<String, String>,
}

/// What the decision record says of a silence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SilenceNote {
    /// The silence's id.
    pub id: String,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
    /// Its last moment.
    pub ends_at: WallTime,
}

impl fmt::Display for SilenceNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} until {}", self.id, self.ends_at)?;
        if self.created_by.is_empty() && self.comment.is_empty() {
            return Ok(());
        }
        write!(f, " ({}: {})", self.created_by, self.comment)
    }
}

/// Where a silence stands in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SilenceState {
    /// Begins later.
    Pending,
    /// Holds now.
    Active,
    /// Is over.
    Expired,
}

impl SilenceState {
    /// The word that the API uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

impl Silence {
    /// Where the silence stands at `now`; both ends belong to it.
    pub fn state(&self, now: WallTime) -> SilenceState {
        if now < self.starts_at {
            SilenceState::Pending
        } else if now > self.ends_at {
            SilenceState::Expired
        } else {
            SilenceState::Active
        }
    }

    /// Whether the silence is about an alert with these labels, at whatever time.
    pub fn is_about(&self, labels: &Labels) -> bool {
        self.matcher_sets.iter().any(|set| set.matches(labels))
    }

    fn note(&self) -> SilenceNote {
        SilenceNote {
            id: self.id.clone(),
            created_by: self.created_by.clone(),
            comment: self.comment.clone(),
            ends_at: self.ends_at,
        }
    }

    /// compat: the bytes of upstream's protobuf of a silence that is kept for `retention` after its end; the size
    /// limit counts these.
    fn size(&self, retention: Span) -> usize {
        let text = |text: &str| {
            if text.is_empty() {
                0
            } else {
                nested(text.len())
            }
        };
        let matcher = |m: &Matcher| {
            let op = if m.op == MatchOp::Equal { 0 } else { 2 };
            nested(op + text(&m.name) + text(&m.value))
        };
        let sets = self
            .matcher_sets
            .iter()
            .map(|set| nested(set.0.iter().map(matcher).sum()));
        let notes = self
            .annotations
            .iter()
            .map(|(name, value)| nested(nested(name.len()) + nested(value.len())));
        let times = [self.starts_at, self.ends_at, self.updated_at];
        let texts = [&self.id, &self.created_by, &self.comment];
        let silence = sets.sum::<usize>()
            + notes.sum::<usize>()
            + times.map(timestamp_size).iter().sum::<usize>()
            + texts.map(|part| text(part)).iter().sum::<usize>();
        nested(silence) + timestamp_size(self.ends_at + retention)
    }

    fn check(&self, syntax: Syntax) -> Result<(), Error> {
        let bad = |text: String| Error::BadSilence(format!("invalid silence: {text}"));
        if self.matcher_sets.is_empty() {
            return Err(bad("at least one matcher set required".to_owned()));
        }
        for (at, set) in self.matcher_sets.iter().enumerate() {
            if set.is_empty() {
                return Err(bad(format!("matcher set {at} is empty")));
            }
            for (i, matcher) in set.0.iter().enumerate() {
                if !syntax.is_label_name(&matcher.name) {
                    return Err(bad(format!(
                        "invalid label matcher {i} in set {at}: invalid label name {}",
                        quote(&matcher.name)
                    )));
                }
            }
            // compat: a negative matcher never counts as matching the empty text here.
            if set.0.iter().all(|m| m.is_equal() && m.matches("")) {
                return Err(bad(format!(
                    "matcher set {at}: at least one matcher must not match the empty string"
                )));
            }
        }
        if self.starts_at.is_zero() {
            return Err(bad("invalid zero start timestamp".to_owned()));
        }
        if self.ends_at.is_zero() {
            return Err(bad("invalid zero end timestamp".to_owned()));
        }
        if self.ends_at < self.starts_at {
            return Err(bad("end time must not be before start time".to_owned()));
        }
        Ok(())
    }
}

/// Bytes of a varint in protobuf.
fn varint_size(number: u64) -> usize {
    (u64::BITS - (number | 1).leading_zeros()).div_ceil(7) as usize
}

/// Bytes of a field of protobuf that holds so many: tag, length, content.
fn nested(bytes: usize) -> usize {
    1 + varint_size(bytes as u64) + bytes
}

/// Bytes of a field with protobuf's `Timestamp`; zeros are left out.
fn timestamp_size(time: WallTime) -> usize {
    let seconds = time.as_ns().div_euclid(1_000_000_000);
    let nanoseconds = time.as_ns().rem_euclid(1_000_000_000);
    let parts = [seconds, nanoseconds];
    let part = |n: &i64| 1 + varint_size(n.cast_unsigned());
    nested(parts.iter().filter(|n| **n != 0).map(part).sum())
}

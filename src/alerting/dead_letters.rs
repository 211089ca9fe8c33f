//! Dead letters: notifications that a receiver never took, so that nobody is forgotten in silence.
//!
//! There is one letter for each group and integration: what an outage costs again and again is counted in
//! it. A letter whose group gets through later says so and stays until the retention is over.

use std::collections::BTreeMap;

use super::journal::LogKey;
use crate::model::Labels;
use crate::time::{Span, WallTime};

/// Letters kept at most; the one that was lost the longest ago goes first.
pub const LETTERS_MAX: usize = 1000;
/// Alerts that a letter names.
pub const ALERTS_MAX: usize = 50;

/// What a receiver never took of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The group, and who was to be told.
    pub key: LogKey,
    /// The receiver's name.
    pub receiver: String,
    /// When a notification was lost first.
    pub first: WallTime,
    /// When one was lost last.
    pub last: WallTime,
    /// How many were lost.
    pub count: u64,
    /// Why the last one was lost, without secrets.
    pub reason: String,
    /// The alerts of the last one, the first [`ALERTS_MAX`] of them.
    pub alerts: Vec<Labels>,
    /// How many alerts the last one was about.
    pub alert_count: u64,
    /// The fallback receiver that is told instead, if there is one.
    pub fallback: String,
    /// When a later notification about the group got through.
    pub reached_at: Option<WallTime>,
}

/// All letters.
#[derive(Debug, Default)]
pub struct DeadLetters {
    all: BTreeMap<LogKey, DeadLetter>,
}

impl DeadLetters {
    /// Adds a loss to the letter of its group and integration. Returns the letter as it is now, and the
    /// key of one that had to go.
    pub(super) fn add(&mut self, mut letter: DeadLetter) -> (DeadLetter, Option<LogKey>) {
        if let Some(old) = self.all.get(&letter.key)
            && old.reached_at.is_none()
        {
            letter.first = old.first;
            letter.count = letter.count.saturating_add(old.count);
        }
        self.put(letter.clone());
        let gone = (self.all.len() > LETTERS_MAX)
            .then(|| self.all.values().min_by_key(|letter| letter.last))
            .flatten()
            .map(|oldest| oldest.key.clone());
        if let Some(key) = &gone {
            self.remove(key);
        }
        (letter, gone)
    }

    /// Notes that a later notification got through; returns the letter if that is news.
    pub(super) fn reached(&mut self, now: WallTime, key: &LogKey) -> Option<DeadLetter> {
        let letter = self.all.get_mut(key)?;
        if letter.reached_at.is_some() {
            return None;
        }
        letter.reached_at = Some(now);
        Some(letter.clone())
    }

    /// Puts a letter in place as it is; for the journal.
    pub(super) fn put(&mut self, letter: DeadLetter) {
        self.all.insert(letter.key.clone(), letter);
    }

    /// Drops a letter; for the journal.
    pub(super) fn remove(&mut self, key: &LogKey) {
        self.all.remove(key);
    }

    /// Drops letters that are older than the retention; returns their keys.
    pub(super) fn collect_garbage(&mut self, now: WallTime, retention: Span) -> Vec<LogKey> {
        let gone: Vec<LogKey> = self
            .all
            .values()
            .filter(|letter| letter.last + retention <= now)
            .map(|letter| letter.key.clone())
            .collect();
        for key in &gone {
            self.all.remove(key);
        }
        gone
    }

    /// All letters, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = &DeadLetter> {
        self.all.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(group: usize, s: i64) -> DeadLetter {
        let at = WallTime::from_ms(s * 1000);
        DeadLetter {
            key: LogKey {
                group_key: group.to_string(),
                integration: "team/webhook/0".to_owned(),
            },
            receiver: "team".to_owned(),
            first: at,
            last: at,
            count: 1,
            reason: "no".to_owned(),
            alerts: Vec::new(),
            alert_count: 3,
            fallback: String::new(),
            reached_at: None,
        }
    }

    #[test]
    fn losses_of_a_group_are_counted_until_one_gets_through() {
        let mut letters = DeadLetters::default();
        letters.add(letter(1, 10));
        let (now, gone) = letters.add(letter(1, 20));
        let ms = |t: WallTime| t.as_ms();
        assert_eq!(
            (ms(now.first), ms(now.last), now.count),
            (10_000, 20_000, 2)
        );
        assert_eq!(gone, None);
        let at = WallTime::from_ms(30_000);
        assert!(letters.reached(at, &now.key).is_some());
        assert!(letters.reached(at, &now.key).is_none(), "no news");
        let (again, _) = letters.add(letter(1, 40));
        assert_eq!((ms(again.first), again.count), (40_000, 1));
        assert_eq!(again.reached_at, None);
    }

    #[test]
    fn the_oldest_go_beyond_the_bound_and_the_retention() {
        let mut letters = DeadLetters::default();
        for group in 0..=LETTERS_MAX {
            let (_, gone) = letters.add(letter(group, group as i64));
            let expected = (group == LETTERS_MAX).then(|| "0".to_owned());
            assert_eq!(gone.map(|key| key.group_key), expected);
        }
        let later = WallTime::from_ms(500_000 + 3_600_000);
        assert_eq!(letters.collect_garbage(later, Span::hours(1)).len(), 500);
        assert_eq!(letters.len(), 500);
    }
}

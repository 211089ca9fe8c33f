//! Which values of a label a regular expression matches, remembered: dashboards and rules ask again and again.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;

use super::index::{PairId, Values};
use crate::model::{MatchOp, Matcher};

/// Expressions that are remembered; a further one lets go of all.
const ENTRIES_MAX: usize = 128;

/// Pairs of all entries together, likewise.
const PAIRS_MAX: usize = 1 << 20;

/// Numbers of pairs.
pub(super) type PairSet = HashSet<PairId, foldhash::fast::RandomState>;

/// What was found lately.
#[derive(Debug, Default)]
pub(super) struct Matches {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    entries: HashMap<Key, Entry, foldhash::fast::RandomState>,
    pairs: usize,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    name: String,
    op: MatchOp,
    value: String,
}

#[derive(Debug)]
struct Entry {
    /// The values that it holds for.
    version: u64,
    pairs: Arc<PairSet>,
}

impl Matches {
    /// The pairs whose values the matcher matches or, when it matches the empty value, those that it does not.
    pub(super) fn of(&self, matcher: &Matcher, values: &Values) -> Arc<PairSet> {
        let wanted = !matcher.matches_empty();
        let find = || -> Arc<PairSet> {
            let found = values.iter().filter(|(v, _)| matcher.matches(v) == wanted);
            Arc::new(found.map(|(_, id)| *id).collect())
        };
        // Comparing is quicker than looking up.
        if matches!(matcher.op, MatchOp::Equal | MatchOp::NotEqual) {
            return find();
        }
        let key = Key {
            name: matcher.name.clone(),
            op: matcher.op,
            value: matcher.value.clone(),
        };
        let known = self.known.lock().entries.get(&key).and_then(|entry| {
            (entry.version == values.version()).then(|| Arc::clone(&entry.pairs))
        });
        if let Some(pairs) = known {
            return pairs;
        }
        let pairs = find();
        self.remember(key, values.version(), &pairs);
        pairs
    }

    fn remember(&self, key: Key, version: u64, pairs: &Arc<PairSet>) {
        let mut known = self.known.lock();
        if let Some(older) = known.entries.remove(&key) {
            known.pairs -= older.pairs.len();
        }
        if known.entries.len() >= ENTRIES_MAX || known.pairs + pairs.len() > PAIRS_MAX {
            *known = Known::default();
        }
        if pairs.len() <= PAIRS_MAX {
            known.pairs += pairs.len();
            let pairs = Arc::clone(pairs);
            known.entries.insert(key, Entry { version, pairs });
        }
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        *self.known.lock() = Known::default();
    }
}

use std::collections::HashMap;

use super::node::{Entry, Node};

/// A mapping of up to so many keys is searched one by one, which is faster than a table.
const FEW: usize = 16;

/// Finds keys that a mapping has twice.
pub(super) struct Keys<'n> {
    entries: &'n [Entry],
    /// The keys of mappings with many, so that one with a million takes no hour.
    seen: HashMap<&'n str, &'n Node>,
}

impl<'n> Keys<'n> {
    pub(super) fn new(entries: &'n [Entry]) -> Self {
        Self {
            entries,
            seen: HashMap::new(),
        }
    }

    /// The key with the text of the one at `at` that comes before it. To be asked in order.
    pub(super) fn earlier(&mut self, at: usize, text: &'n str) -> Option<&'n Node> {
        if self.entries.len() <= FEW {
            let mut before = self.entries.iter().take(at).map(|entry| &entry.key);
            return before.find(|key| key.as_str() == Some(text));
        }
        let earlier = self.seen.get(text).copied();
        if earlier.is_none()
            && let Some(entry) = self.entries.get(at)
        {
            self.seen.insert(text, &entry.key);
        }
        earlier
    }
}

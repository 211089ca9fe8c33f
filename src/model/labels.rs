//! Sorted label sets.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use smallvec::SmallVec;
use xxhash_rust::xxh64::xxh64;

use super::METRIC_NAME;
use crate::text::quote::quote;

/// An immutable set of labels, sorted by name, without empty values. Cheap to clone.
///
/// All names and values lie in one buffer, so a set costs two allocations whatever its size.
#[derive(Clone, Default)]
pub struct Labels(Option<Arc<Inner>>);

struct Inner {
    /// Ends of name, value, name, value, ... in `text`.
    ends: Box<[u32]>,
    text: Box<str>,
}

impl Labels {
    /// The set without labels.
    pub const fn empty() -> Self {
        Self(None)
    }

    /// Builds a set from pairs in any order. Empty values are left out; of a repeated name the last wins.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut pairs: Vec<(N, V)> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        let mut kept: SmallVec<[(&str, &str); 16]> = SmallVec::with_capacity(pairs.len());
        for (name, value) in &pairs {
            let (name, value) = (name.as_ref(), value.as_ref());
            match kept.last_mut() {
                Some(last) if last.0 == name => last.1 = value,
                _ => kept.push((name, value)),
            }
        }
        kept.retain(|(_, value)| !value.is_empty());
        Self::from_sorted_slice(&kept)
    }

    /// As [`Self::from_pairs`], but empty values stay: for annotations, where an empty text is one.
    pub fn with_empty_values<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut pairs: Vec<(N, V)> = pairs.into_iter().collect();
        pairs.sort_by(|a, b| a.0.as_ref().cmp(b.0.as_ref()));
        // Of a repeated name the last wins.
        pairs.reverse();
        pairs.dedup_by(|a, b| a.0.as_ref() == b.0.as_ref());
        let kept: SmallVec<[(&str, &str); 16]> = pairs
            .iter()
            .rev()
            .map(|(n, v)| (n.as_ref(), v.as_ref()))
            .collect();
        Self::from_sorted_slice(&kept)
    }

    /// Builds a set from pairs that are sorted by name, unique and not empty.
    ///
    /// # Panics
    /// When the texts together exceed 4 GiB; parsers bound them long before.
    pub fn from_sorted<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut ends = Vec::new();
        let mut text = String::new();
        for (name, value) in pairs {
            for part in [name, value] {
                text.push_str(part);
                ends.push(
                    u32::try_from(text.len()).expect("label sets are bounded far below 4 GiB"),
                );
            }
        }
        if ends.is_empty() {
            return Self(None);
        }
        Self(Some(Arc::new(Inner {
            ends: ends.into(),
            text: text.into(),
        })))
    }

    /// As [`Self::from_sorted`], of pairs that are at hand: the set is allocated once.
    ///
    /// # Panics
    /// When the texts together exceed 4 GiB; parsers bound them long before.
    pub fn from_sorted_slice(pairs: &[(&str, &str)]) -> Self {
        if pairs.is_empty() {
            return Self(None);
        }
        let bytes = pairs.iter().map(|(name, value)| name.len() + value.len());
        let mut text = String::with_capacity(bytes.sum());
        let mut ends = Vec::with_capacity(pairs.len() * 2);
        for (name, value) in pairs {
            for part in [name, value] {
                text.push_str(part);
                ends.push(
                    u32::try_from(text.len()).expect("label sets are bounded far below 4 GiB"),
                );
            }
        }
        Self(Some(Arc::new(Inner {
            ends: ends.into(),
            text: text.into(),
        })))
    }

    /// The number of labels.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |inner| inner.ends.len() / 2)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> Iter<'_> {
        let Some(inner) = self.0.as_deref() else {
            return Iter::default();
        };
        Iter {
            ends: &inner.ends,
            rest: &inner.text,
            start: 0,
        }
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        let inner = self.0.as_deref()?;
        let (bytes, wanted) = (inner.text.as_bytes(), name.as_bytes());
        let mut start = 0;
        for ends in inner.ends.chunks_exact(2) {
            let [name_end, value_end] = [ends[0] as usize, ends[1] as usize];
            if name_end - start == wanted.len() && bytes.get(start..name_end) == Some(wanted) {
                return inner.text.get(name_end..value_end);
            }
            start = value_end;
        }
        None
    }

    /// Whether the label is there.
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The metric's name, if it has one.
    pub fn metric_name(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }

    /// The set with one label set to `value`; an empty value removes it.
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut builder = LabelsBuilder::from(self);
        builder.set(name, value);
        builder.build()
    }

    /// The set without the metric's name.
    pub fn without_name(&self) -> Self {
        if self.contains(METRIC_NAME) {
            self.filter(|name| name != METRIC_NAME)
        } else {
            self.clone()
        }
    }

    /// The labels whose names `keep` accepts.
    pub fn filter(&self, mut keep: impl FnMut(&str) -> bool) -> Self {
        let kept: SmallVec<[(&str, &str); 16]> =
            self.iter().filter(|(name, _)| keep(name)).collect();
        Self::from_sorted_slice(&kept)
    }

    /// Upstream's `labels.Hash`: xxHash64 of the layout of its default build, in which each name and
    /// value is preceded by its length. `limit_ratio` and hash-spread offsets depend on it.
    pub fn hash64(&self) -> u64 {
        let mut bytes = Vec::with_capacity(
            self.0
                .as_ref()
                .map_or(0, |inner| inner.text.len() + inner.ends.len()),
        );
        for (name, value) in self {
            for part in [name, value] {
                push_length(&mut bytes, part.len());
                bytes.extend_from_slice(part.as_bytes());
            }
        }
        xxh64(&bytes, 0)
    }

    /// Alertmanager's `LabelSet.Fingerprint`: FNV-1a over names and values, each followed by 0xff.
    pub fn fingerprint(&self) -> u64 {
        let mut hash = Fnv64::default();
        let Some(inner) = self.0.as_deref() else {
            return hash.finish();
        };
        let mut start = 0;
        for end in &inner.ends {
            let end = *end as usize;
            hash.write(inner.text.as_bytes().get(start..end).unwrap_or_default());
            hash.write(&[0xff]);
            start = end;
        }
        hash.finish()
    }

    /// As [`Self::fingerprint`], of the labels whose names `keep` accepts.
    pub fn fingerprint_of(&self, mut keep: impl FnMut(&str) -> bool) -> u64 {
        let mut hash = Fnv64::default();
        for (name, value) in self {
            if !keep(name) {
                continue;
            }
            hash.write(name.as_bytes());
            hash.write(&[0xff]);
            hash.write(value.as_bytes());
            hash.write(&[0xff]);
        }
        hash.finish()
    }
}

/// Lengths below 255 take one byte; others 255 and three bytes, little-endian.
fn push_length(bytes: &mut Vec<u8>, length: usize) {
    if length < 255 {
        bytes.push(length as u8);
    } else {
        bytes.push(255);
        bytes.extend_from_slice(&(length as u32).to_le_bytes()[..3]);
    }
}

/// FNV-1a with 64 bits, as Go's `hash/fnv` and upstream's fingerprints use it.
#[derive(Debug, Clone)]
pub struct Fnv64(u64);

impl Default for Fnv64 {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv64 {
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 ^= u64::from(*b);
            self.0 = self.0.wrapping_mul(0x0100_0000_01b3);
        }
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

/// Whether `name` is a label name of the classic kind: `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_legacy_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether `name` is a metric name of the classic kind: `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_legacy_metric_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b':')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

/// Names and values of a set.
#[derive(Clone, Default)]
pub struct Iter<'a> {
    ends: &'a [u32],
    /// What follows the pairs so far, which end at `start`.
    rest: &'a str,
    start: u32,
}

impl fmt::Debug for Iter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.clone()).finish()
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a str, &'a str);
    fn next(&mut self) -> Option<Self::Item> {
        let ([name_end, value_end], ends) = self.ends.split_first_chunk()?;
        let (name, rest) = self.rest.split_at((name_end - self.start) as usize);
        let (value, rest) = rest.split_at((value_end - name_end) as usize);
        (self.ends, self.rest, self.start) = (ends, rest, *value_end);
        Some((name, value))
    }
    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.ends.len() / 2;
        (left, Some(left))
    }
}

impl<'a> IntoIterator for &'a Labels {
    type Item = (&'a str, &'a str);
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl PartialEq for Labels {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(a), Some(b)) => Arc::ptr_eq(a, b) || (a.ends == b.ends && a.text == b.text),
            _ => false,
        }
    }
}

impl Eq for Labels {}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        if let Some(inner) = &self.0 {
            inner.ends.hash(state);
            inner.text.hash(state);
        }
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Upstream's `labels.Compare`: name, then value, label by label; a prefix sorts first.
impl Ord for Labels {
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

/// Upstream's text form, `{a="b", c="d"}`; names that are not of the classic kind are quoted.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (name, value)) in self.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            if is_legacy_name(name) {
                write!(f, "{name}={}", quote(value))?;
            } else {
                write!(f, "{}={}", quote(name), quote(value))?;
            }
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    fn from_iter<T: IntoIterator<Item = (N, V)>>(pairs: T) -> Self {
        Self::from_pairs(pairs)
    }
}

/// A label set under construction.
#[derive(Debug, Clone, Default)]
pub struct LabelsBuilder {
    /// Sorted by name; values may be empty until built.
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Starts with no labels.
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// The current value of a label; empty when absent, as relabeling sees it.
    pub fn get(&self, name: &str) -> &str {
        match self.position(name) {
            Ok(at) => &self.pairs[at].1,
            Err(_) => "",
        }
    }

    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) {
        match self.position(name) {
            Ok(at) if value.is_empty() => {
                self.pairs.remove(at);
            }
            Ok(at) => value.clone_into(&mut self.pairs[at].1),
            Err(_) if value.is_empty() => {}
            Err(at) => self.pairs.insert(at, (name.to_owned(), value.to_owned())),
        }
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) {
        if let Ok(at) = self.position(name) {
            self.pairs.remove(at);
        }
    }

    /// Keeps the labels that `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &str) -> bool) {
        self.pairs.retain(|(name, value)| keep(name, value));
    }

    /// Names and values so far, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// The finished set.
    pub fn build(&self) -> Labels {
        Labels::from_sorted(self.iter())
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.pairs.binary_search_by(|(n, _)| n.as_str().cmp(name))
    }
}

impl From<&Labels> for LabelsBuilder {
    fn from(labels: &Labels) -> Self {
        Self {
            pairs: labels
                .iter()
                .map(|(n, v)| (n.to_owned(), v.to_owned()))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_sorted_and_without_empty_values() {
        let labels = Labels::from_pairs([("b", "2"), ("a", "1"), ("c", ""), ("b", "3")]);
        assert_eq!(labels.to_string(), r#"{a="1", b="3"}"#);
        assert_eq!(labels.get("b"), Some("3"));
        assert!(!labels.contains("c"));
    }

    #[test]
    fn comparison_goes_label_by_label() {
        let short = Labels::from_pairs([("a", "1")]);
        let long = Labels::from_pairs([("a", "1"), ("b", "2")]);
        let other = Labels::from_pairs([("a", "2")]);
        assert!(Labels::empty() < short && short < long && long < other);
    }

    #[test]
    fn fingerprint_is_alertmanagers() {
        // The empty set's fingerprint is the FNV offset basis, as in common/model.
        assert_eq!(Labels::empty().fingerprint(), 14_695_981_039_346_656_037);
    }

    #[test]
    fn builder_sets_and_removes() {
        let mut b = LabelsBuilder::from(&Labels::from_pairs([("a", "1")]));
        b.set("z", "26");
        b.set("a", "");
        assert_eq!(b.build().to_string(), r#"{z="26"}"#);
        assert_eq!(b.get("a"), "");
    }
}

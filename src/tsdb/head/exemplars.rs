use std::collections::VecDeque;

use hashbrown::HashMap;

use crate::model::{Exemplar, Labels};
use crate::storage::AppendError;

/// compat: names and values of an exemplar's labels together, in characters.
const LABEL_CHARS_MAX: usize = 128;

/// The newest exemplars of all series, in a ring: a new one displaces the oldest.
#[derive(Debug, Default)]
pub(crate) struct Exemplars {
    ring: VecDeque<(Labels, Exemplar)>,
    /// Number of the ring's first exemplar.
    first: u64,
    newest: HashMap<Labels, u64, foldhash::fast::RandomState>,
    capacity: usize,
}

impl Exemplars {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            ..Self::default()
        }
    }

    pub(crate) const fn is_enabled(&self) -> bool {
        self.capacity > 0
    }

    /// Whether an exemplar may be added to a series.
    pub(crate) fn check(&self, series: &Labels, exemplar: &Exemplar) -> Result<(), AppendError> {
        let chars: usize = exemplar
            .labels
            .iter()
            .map(|(name, value)| name.chars().count() + value.chars().count())
            .sum();
        if chars > LABEL_CHARS_MAX {
            return Err(AppendError::ExemplarLabelLength);
        }
        let Some((_, newest)) = self.newest.get(series).and_then(|number| self.at(*number)) else {
            return Ok(());
        };
        check_order(newest, exemplar)
    }

    fn at(&self, number: u64) -> Option<&(Labels, Exemplar)> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.ring.get(at)
    }

    /// Adds an exemplar; one that [`Self::check`] refuses is left out.
    pub(crate) fn push(&mut self, series: &Labels, exemplar: Exemplar) {
        if self.capacity == 0 || self.check(series, &exemplar).is_err() {
            return;
        }
        self.shrink(self.capacity - 1);
        let number = self.next();
        self.ring.push_back((series.clone(), exemplar));
        self.newest.insert(series.clone(), number);
    }

    /// Keeps at most `capacity` from now on.
    pub(crate) fn resize(&mut self, capacity: usize) {
        self.capacity = capacity;
        self.shrink(capacity);
    }

    fn shrink(&mut self, len: usize) {
        while self.ring.len() > len {
            if let Some((labels, _)) = self.ring.pop_front() {
                if self.newest.get(&labels) == Some(&self.first) {
                    self.newest.remove(&labels);
                }
                self.first += 1;
            }
        }
    }

    /// The number of the next exemplar.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.ring.len() as u64
    }

    pub(crate) fn len(&self) -> usize {
        self.ring.len()
    }

    /// Those from number `from` on, oldest first.
    pub(crate) fn since(&self, from: u64) -> impl Iterator<Item = &(Labels, Exemplar)> {
        let skip = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.ring.iter().skip(skip)
    }
}

/// compat: an exemplar that equals the newest is a duplicate; an older one, or one of the same time and a lower
/// value, is out of order.
pub(crate) fn check_order(newest: &Exemplar, exemplar: &Exemplar) -> Result<(), AppendError> {
    let time = |e: &Exemplar| e.timestamp_ms.unwrap_or(0);
    if newest.labels == exemplar.labels
        && newest.value.to_bits() == exemplar.value.to_bits()
        && (time(newest) == time(exemplar) || exemplar.timestamp_ms.is_none())
    {
        return Err(AppendError::DuplicateExemplar);
    }
    if time(exemplar) < time(newest)
        || time(exemplar) == time(newest) && exemplar.value < newest.value
    {
        return Err(AppendError::OutOfOrderExemplar);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(ms: i64, value: f64) -> Exemplar {
        Exemplar {
            labels: Labels::from_pairs([("trace_id", "x")]),
            value,
            timestamp_ms: Some(ms),
        }
    }

    #[test]
    fn the_ring_keeps_the_newest() {
        let mut ring = Exemplars::new(2);
        let (a, b) = (
            Labels::from_pairs([("s", "a")]),
            Labels::from_pairs([("s", "b")]),
        );
        ring.push(&a, exemplar(1, 1.0));
        ring.push(&a, exemplar(2, 1.0));
        ring.push(&b, exemplar(1, 1.0));
        assert_eq!((ring.len(), ring.next()), (2, 3));
        assert_eq!(
            ring.check(&a, &exemplar(2, 1.0)),
            Err(AppendError::DuplicateExemplar)
        );
        assert_eq!(
            ring.check(&a, &exemplar(1, 1.0)),
            Err(AppendError::OutOfOrderExemplar)
        );
        ring.push(&b, exemplar(2, 1.0));
        assert_eq!(
            ring.check(&a, &exemplar(1, 1.0)),
            Ok(()),
            "a's are displaced"
        );
        assert_eq!(ring.since(3).count(), 1);
    }

    #[test]
    fn long_labels_are_refused() {
        let long = Exemplar {
            labels: Labels::from_pairs([("l", "ü".repeat(128))]),
            ..exemplar(1, 1.0)
        };
        assert_eq!(
            Exemplars::new(1).check(&Labels::empty(), &long),
            Err(AppendError::ExemplarLabelLength)
        );
    }
}

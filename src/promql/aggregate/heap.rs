//! A binary heap that keeps its elements exactly where Go's `container/heap` does, which decides between
//! equal values.

use crate::promql::engine::context::Sample;
use crate::promql::go_sort::sort_by;

/// Samples with their value, the least at the root.
#[derive(Debug, Clone, Default)]
pub(super) struct Heap {
    items: Vec<(f64, Sample)>,
}

/// Whether the first belongs nearer to the root.
pub(super) type Less = fn(f64, f64) -> bool;

/// Least values at the root; NaN is less than everything.
pub(super) fn least(a: f64, b: f64) -> bool {
    a.is_nan() || a < b
}

/// Greatest values at the root; NaN is greater than everything.
pub(super) fn greatest(a: f64, b: f64) -> bool {
    a.is_nan() || a > b
}

impl Heap {
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn root(&self) -> Option<f64> {
        self.items.first().map(|(v, _)| *v)
    }

    pub(super) fn push(&mut self, value: f64, sample: Sample, less: Less) {
        self.items.push((value, sample));
        let mut at = self.items.len() - 1;
        while at > 0 {
            let parent = (at - 1) / 2;
            if !less(self.items[at].0, self.items[parent].0) {
                break;
            }
            self.items.swap(at, parent);
            at = parent;
        }
    }

    pub(super) fn replace_root(&mut self, value: f64, sample: Sample, less: Less) {
        let Some(root) = self.items.first_mut() else {
            return;
        };
        *root = (value, sample);
        let mut at = 0;
        loop {
            let left = 2 * at + 1;
            if left >= self.items.len() {
                return;
            }
            let right = left + 1;
            let child = if right < self.items.len() && less(self.items[right].0, self.items[left].0)
            {
                right
            } else {
                left
            };
            if !less(self.items[child].0, self.items[at].0) {
                return;
            }
            self.items.swap(at, child);
            at = child;
        }
    }

    /// The samples in heap order.
    pub(super) fn unsorted(self) -> impl Iterator<Item = Sample> {
        self.items.into_iter().map(|(_, sample)| sample)
    }

    /// The samples, the root last.
    pub(super) fn sorted(mut self, less: Less) -> impl Iterator<Item = Sample> {
        sort_by(&mut self.items, |(a, _), (b, _)| less(*b, *a));
        self.unsorted()
    }
}

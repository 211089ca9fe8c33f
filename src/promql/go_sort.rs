//! Sorts as Go's `sort.Sort` does, step by step.
//!
//! Go's sort is not stable: where two elements are equal, only its very comparisons and swaps tell which comes
//! first. `sort`, `topk` and their kin show that order. The algorithm is pattern-defeating quicksort: insertion
//! for short ranges, quicksort with a pivot from up to nine elements, heap sort after too many bad pivots.

/// Ranges up to this length are sorted by insertion.
const INSERTION_MAX: usize = 12;
/// From this length on, pivots are medians of medians.
const NINTHER_FROM: usize = 50;
/// This many swaps while a pivot is chosen mean that the range runs downwards.
const SWAPS_MAX: usize = 12;

/// Sorts by `less`, which need not be a proper order (NaNs); then some order comes out, the same as Go's.
pub(super) fn sort_by<T>(items: &mut [T], less: impl Fn(&T, &T) -> bool) {
    let depth = usize::BITS - items.len().leading_zeros();
    let end = items.len();
    Sorter { items, less }.quicksort(0, end, depth);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Hint {
    Unknown,
    Increasing,
    Decreasing,
}

struct Sorter<'a, T, F> {
    items: &'a mut [T],
    less: F,
}

impl<T, F: Fn(&T, &T) -> bool> Sorter<'_, T, F> {
    fn less(&self, a: usize, b: usize) -> bool {
        (self.less)(&self.items[a], &self.items[b])
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.items.swap(a, b);
    }

    fn quicksort(&mut self, mut from: usize, mut to: usize, mut depth: u32) {
        let (mut balanced, mut partitioned) = (true, true);
        loop {
            let length = to - from;
            if length <= INSERTION_MAX {
                return self.insertion(from, to);
            }
            if depth == 0 {
                return self.heap(from, to);
            }
            if !balanced {
                self.scatter(from, to);
                depth -= 1;
            }
            let (mut pivot, mut hint) = self.pivot(from, to);
            if hint == Hint::Decreasing {
                self.items[from..to].reverse();
                pivot = (to - 1) - (pivot - from);
                hint = Hint::Increasing;
            }
            if balanced
                && partitioned
                && hint == Hint::Increasing
                && self.finish_nearly_sorted(from, to)
            {
                return;
            }
            // Everything here is at least as great as what lies before: part off what equals the pivot.
            if from > 0 && !self.less(from - 1, pivot) {
                from = self.part_equal(from, to, pivot);
                continue;
            }
            let (middle, was_parted) = self.part(from, to, pivot);
            partitioned = was_parted;
            let (left, right) = (middle - from, to - middle);
            balanced = left.min(right) >= length / 8;
            if left < right {
                self.quicksort(from, middle, depth);
                from = middle + 1;
            } else {
                self.quicksort(middle + 1, to, depth);
                to = middle;
            }
        }
    }

    fn insertion(&mut self, from: usize, to: usize) {
        for end in from + 1..to {
            let mut at = end;
            while at > from && self.less(at, at - 1) {
                self.swap(at, at - 1);
                at -= 1;
            }
        }
    }

    fn heap(&mut self, from: usize, to: usize) {
        let length = to - from;
        for root in (0..=(length - 1) / 2).rev() {
            self.sift_down(root, length, from);
        }
        for last in (0..length).rev() {
            self.swap(from, from + last);
            self.sift_down(0, last, from);
        }
    }

    fn sift_down(&mut self, mut root: usize, length: usize, from: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= length {
                return;
            }
            if child + 1 < length && self.less(from + child, from + child + 1) {
                child += 1;
            }
            if !self.less(from + root, from + child) {
                return;
            }
            self.swap(from + root, from + child);
            root = child;
        }
    }

    /// Moves three elements from the middle elsewhere, to break a pattern that gave bad pivots.
    fn scatter(&mut self, from: usize, to: usize) {
        let length = to - from;
        let mask = (1_u64 << (usize::BITS - length.leading_zeros())) - 1;
        let mut random = length as u64;
        let middle = from + (length / 4) * 2;
        for at in middle - 1..=middle + 1 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let mut other = (random & mask) as usize;
            if other >= length {
                other -= length;
            }
            self.swap(at, from + other);
        }
    }

    fn pivot(&self, from: usize, to: usize) -> (usize, Hint) {
        let length = to - from;
        let quarter = length / 4;
        let [mut i, mut j, mut k] = [from + quarter, from + quarter * 2, from + quarter * 3];
        let mut swaps = 0;
        if length >= NINTHER_FROM {
            i = self.median(i - 1, i, i + 1, &mut swaps);
            j = self.median(j - 1, j, j + 1, &mut swaps);
            k = self.median(k - 1, k, k + 1, &mut swaps);
        }
        let pivot = self.median(i, j, k, &mut swaps);
        let hint = match swaps {
            0 => Hint::Increasing,
            SWAPS_MAX => Hint::Decreasing,
            _ => Hint::Unknown,
        };
        (pivot, hint)
    }

    fn median(&self, a: usize, b: usize, c: usize, swaps: &mut usize) -> usize {
        let mut ordered = |a, b| {
            if self.less(b, a) {
                *swaps += 1;
                (b, a)
            } else {
                (a, b)
            }
        };
        let (a, b) = ordered(a, b);
        let (b, _) = ordered(b, c);
        ordered(a, b).1
    }

    /// Tries to finish a range that is sorted but for a few elements; false when there are more.
    fn finish_nearly_sorted(&mut self, from: usize, to: usize) -> bool {
        let mut at = from + 1;
        for _ in 0..5 {
            while at < to && !self.less(at, at - 1) {
                at += 1;
            }
            if at == to {
                return true;
            }
            if to - from < NINTHER_FROM {
                return false;
            }
            self.swap(at, at - 1);
            if at - from >= 2 {
                let mut down = at - 1;
                while down >= 1 && self.less(down, down - 1) {
                    self.swap(down, down - 1);
                    down -= 1;
                }
            }
            if to - at >= 2 {
                let mut up = at + 1;
                while up < to && self.less(up, up - 1) {
                    self.swap(up, up - 1);
                    up += 1;
                }
            }
        }
        false
    }

    /// Puts what is less than the pivot before it and the rest after it. Returns the pivot's new place and
    /// whether nothing else had to move.
    fn part(&mut self, from: usize, to: usize, pivot: usize) -> (usize, bool) {
        self.swap(from, pivot);
        let (mut i, mut j) = (from + 1, to - 1);
        let mut parted = true;
        loop {
            while i <= j && self.less(i, from) {
                i += 1;
            }
            while i <= j && !self.less(j, from) {
                j -= 1;
            }
            if i > j {
                break;
            }
            parted = false;
            self.swap(i, j);
            i += 1;
            j -= 1;
        }
        self.swap(j, from);
        (j, parted)
    }

    /// Puts what equals the pivot before what is greater. Returns where the greater ones begin.
    fn part_equal(&mut self, from: usize, to: usize, pivot: usize) -> usize {
        self.swap(from, pivot);
        let (mut i, mut j) = (from + 1, to - 1);
        loop {
            while i <= j && !self.less(from, i) {
                i += 1;
            }
            while i <= j && self.less(from, j) {
                j -= 1;
            }
            if i > j {
                return i;
            }
            self.swap(i, j);
            i += 1;
            j -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted_somehow(mut items: Vec<u32>) {
        let mut expected = items.clone();
        expected.sort_unstable();
        sort_by(&mut items, |a, b| a < b);
        assert_eq!(items, expected);
    }

    proptest::proptest! {
        #[test]
        fn everything_ends_up_sorted(items in proptest::collection::vec(0_u32..40, 0..300)) {
            sorted_somehow(items);
        }

        #[test]
        fn a_comparison_that_is_no_order_does_no_harm(
            items in proptest::collection::vec(proptest::option::of(0_u32..9), 0..200),
        ) {
            let mut items = items;
            // As with NaN: what is missing is less than all, itself too.
            sort_by(&mut items, |a, b| b.is_none() || b > a);
        }
    }

    /// What Prometheus makes of `sort_desc` over 18 and 40 series that are all NaN: each is less than each.
    #[test]
    fn equals_end_up_where_go_leaves_them() {
        let recorded: [&[usize]; 2] = [
            &[11, 10, 17, 6, 16, 13, 15, 4, 3, 2, 1, 12, 14, 5, 0, 7, 9, 8],
            &[
                37, 24, 10, 16, 26, 22, 0, 8, 19, 12, 32, 28, 7, 27, 3, 4, 9, 21, 1, 23, 11, 25, 5,
                36, 18, 31, 29, 34, 33, 2, 6, 14, 30, 17, 35, 38, 39, 15, 13, 20,
            ],
        ];
        for order in recorded {
            let mut items: Vec<usize> = (0..order.len()).collect();
            sort_by(&mut items, |_, _| true);
            assert_eq!(items, order);
        }
    }

    #[test]
    fn patterns_are_sorted() {
        sorted_somehow((0..1000).collect());
        sorted_somehow((0..1000).rev().collect());
        sorted_somehow((0..1000).map(|i| i % 7).collect());
        sorted_somehow((0..500).chain((0..500).rev()).collect());
        sorted_somehow((0..1000).map(|i| if i == 400 { 3 } else { i }).collect());
    }
}

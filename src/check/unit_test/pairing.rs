//! Which of what was got belongs to which of what was expected: equal ones first, then the nearest.

use crate::model::Labels;
use crate::rules::unit_test::{AlertSeen, Difference, SampleSeen, ValueSeen};

/// Beyond so many on a side, those that are not equal are paired in order.
const NEAREST_MAX: usize = 300;

/// An alert or a sample.
#[derive(Debug, Clone)]
pub struct Item {
    /// Its labels.
    pub labels: Labels,
    /// An alert's annotations.
    pub annotations: Labels,
    /// A sample's value.
    pub value: Option<ValueSeen>,
}

/// What became of an expectation; indexes into the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    /// Both are equal.
    Same(usize, usize),
    /// The nearest to each other of those that are not equal.
    Changed(usize, usize),
    /// Expected, and nothing is left that might be it.
    Missing(usize),
    /// Got, and nothing of the kind was expected.
    Unexpected(usize),
}

impl From<&AlertSeen> for Item {
    fn from(alert: &AlertSeen) -> Self {
        Self {
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            value: None,
        }
    }
}

impl From<&SampleSeen> for Item {
    fn from(sample: &SampleSeen) -> Self {
        Self {
            labels: sample.labels.clone(),
            annotations: Labels::empty(),
            value: Some(sample.value.clone()),
        }
    }
}

/// Both sides of a difference, and whether values are compared with a tolerance.
pub fn sides(difference: &Difference) -> (Vec<Item>, Vec<Item>, bool) {
    match difference {
        Difference::Alerts { expected, got } => (
            expected.iter().map(Item::from).collect(),
            got.iter().map(Item::from).collect(),
            false,
        ),
        Difference::Samples {
            expected,
            got,
            fuzzy,
        } => (
            expected.iter().map(Item::from).collect(),
            got.iter().map(Item::from).collect(),
            *fuzzy,
        ),
    }
}

/// Pairs both sides. Changed pairs come nearest first, then what is missing, then what is unexpected;
/// equal ones come last.
pub fn pairs(expected: &[Item], got: &[Item], fuzzy: bool) -> Vec<Pair> {
    let mut open_expected: Vec<usize> = (0..expected.len()).collect();
    let mut open_got: Vec<usize> = (0..got.len()).collect();
    let mut same = Vec::new();
    open_expected.retain(|at| {
        let equal = |other: &usize| distance(&expected[*at], &got[*other], fuzzy) == 0;
        let Some(found) = open_got.iter().position(equal) else {
            return true;
        };
        same.push(Pair::Same(*at, open_got.remove(found)));
        false
    });
    let mut all = changed(expected, got, fuzzy, &mut open_expected, &mut open_got);
    all.extend(open_expected.into_iter().map(Pair::Missing));
    all.extend(open_got.into_iter().map(Pair::Unexpected));
    all.extend(same);
    all
}

fn changed(
    expected: &[Item],
    got: &[Item],
    fuzzy: bool,
    open_expected: &mut Vec<usize>,
    open_got: &mut Vec<usize>,
) -> Vec<Pair> {
    let mut candidates: Vec<(usize, usize, usize)> = Vec::new();
    if open_expected.len().max(open_got.len()) <= NEAREST_MAX {
        for a in open_expected.iter() {
            for b in open_got.iter() {
                candidates.push((distance(&expected[*a], &got[*b], fuzzy), *a, *b));
            }
        }
        candidates.sort_unstable();
    } else {
        let in_order = open_expected.iter().zip(open_got.iter());
        candidates.extend(in_order.map(|(a, b)| (0, *a, *b)));
    }
    let mut pairs = Vec::new();
    for (_, a, b) in candidates {
        if open_expected.contains(&a) && open_got.contains(&b) {
            open_expected.retain(|at| *at != a);
            open_got.retain(|at| *at != b);
            pairs.push(Pair::Changed(a, b));
        }
    }
    pairs
}

/// In how many labels, annotations and values two items differ; zero for those that count as equal.
fn distance(a: &Item, b: &Item, fuzzy: bool) -> usize {
    let value = match (&a.value, &b.value) {
        (Some(a), Some(b)) => usize::from(!a.same(b, fuzzy)),
        (None, None) => 0,
        _ => 1,
    };
    // Labels make what a thing is; annotations and values tell of it.
    2 * labels_apart(&a.labels, &b.labels) + labels_apart(&a.annotations, &b.annotations) + value
}

fn labels_apart(a: &Labels, b: &Labels) -> usize {
    let differ = a.iter().filter(|(name, value)| b.get(name) != Some(*value));
    differ.count() + b.iter().filter(|(name, _)| a.get(name).is_none()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(labels: &[(&str, &str)]) -> Item {
        Item {
            labels: labels.iter().copied().collect(),
            annotations: Labels::empty(),
            value: None,
        }
    }

    #[test]
    fn equal_ones_pair_first_and_then_the_nearest() {
        let expected = [
            item(&[("a", "1"), ("b", "1"), ("c", "1")]),
            item(&[("a", "2"), ("b", "2"), ("c", "2")]),
            item(&[("z", "9")]),
        ];
        let got = [
            item(&[("a", "2"), ("b", "2"), ("c", "3")]),
            item(&[("z", "9")]),
            item(&[("a", "1"), ("b", "5"), ("c", "5")]),
            item(&[("q", "1")]),
        ];
        assert_eq!(
            pairs(&expected, &got, false),
            [
                Pair::Changed(1, 0),
                Pair::Changed(0, 2),
                Pair::Unexpected(3),
                Pair::Same(2, 1)
            ]
        );
    }
}

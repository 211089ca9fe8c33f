//! `sort` and its kin, which matter to instant queries only.

use std::cmp::Ordering;

use super::instant::CallInput;
use crate::promql::engine::context::{Sample, Vector};
use crate::promql::go_sort::sort_by;

pub(super) fn ascending(input: &mut CallInput<'_, '_>) -> Vector {
    let vector = floats(input);
    sorted(vector, |a, b| b.is_nan() || b > a)
}

pub(super) fn descending(input: &mut CallInput<'_, '_>) -> Vector {
    let vector = floats(input);
    sorted(vector, |a, b| b.is_nan() || b < a)
}

fn floats(input: &mut CallInput<'_, '_>) -> Vec<(f64, Sample)> {
    input
        .vector(0)
        .into_iter()
        .filter_map(|sample| Some((sample.value.float()?, sample)))
        .collect()
}

/// `less` need not be a proper order where NaNs are concerned.
fn sorted(mut vector: Vec<(f64, Sample)>, less: impl Fn(f64, f64) -> bool) -> Vector {
    sort_by(&mut vector, |(a, _), (b, _)| less(*a, *b));
    vector.into_iter().map(|(_, sample)| sample).collect()
}

pub(super) fn by_label(input: &mut CallInput<'_, '_>) -> Vector {
    sorted_by_label(input, false)
}

pub(super) fn by_label_descending(input: &mut CallInput<'_, '_>) -> Vector {
    sorted_by_label(input, true)
}

fn sorted_by_label(input: &mut CallInput<'_, '_>, descending: bool) -> Vector {
    let names: Vec<String> = input
        .call
        .args
        .iter()
        .skip(1)
        .map(|arg| arg.text().to_owned())
        .collect();
    let mut vector = input.vector(0);
    vector.sort_by(|a, b| {
        let order = names
            .iter()
            .map(|name| {
                let value =
                    |sample: &Sample| sample.labels.get(name).unwrap_or_default().to_owned();
                natural(&value(a), &value(b))
            })
            .find(|order| *order != Ordering::Equal)
            .unwrap_or_else(|| a.labels.cmp(&b.labels));
        if descending { order.reverse() } else { order }
    });
    vector
}

/// Compares runs of digits as numbers and everything else as text.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    let (mut a, mut b) = (runs(a), runs(b));
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (Some(x), Some(y)) => (x, y),
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
        };
        let order = match (x.parse::<i64>(), y.parse::<i64>()) {
            (Ok(x), Ok(y)) => x.cmp(&y),
            _ => x.cmp(y),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// Runs of digits and of anything else.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let digit = rest.bytes().next()?.is_ascii_digit();
        let end = rest
            .bytes()
            .position(|b| b.is_ascii_digit() != digit)
            .unwrap_or(rest.len());
        let (run, after) = rest.split_at_checked(end)?;
        rest = after;
        Some(run)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_within_text_are_numbers() {
        let mut names = ["node10", "node9", "node", "a", "node9b", "9é"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["9é", "a", "node", "node9", "node9b", "node10"]);
    }
}

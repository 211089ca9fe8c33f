//! `sort` and its kin, which matter to instant queries only.

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
    sort_by(&mut vector, |a, b| {
        let value = |sample: &Sample, name: &str| -> String {
            sample.labels.get(name).unwrap_or_default().to_owned()
        };
        let decisive = names
            .iter()
            .map(|name| (value(a, name), value(b, name)))
            .find(|(x, y)| x != y);
        match decisive {
            // compat: this way round, so that values which both claim to come first, or neither does, end up as
            // upstream leaves them.
            Some((x, y)) => comes_first(&x, &y) != descending,
            None if descending => a.labels > b.labels,
            None => a.labels < b.labels,
        }
    });
    vector
}

/// Whether `a` sorts before another text `b` when runs of digits are numbers.
// compat: of equal numbers in other digits (`01` and `1`), each comes before the other; an empty text comes before
// nothing, and nothing before it.
pub(crate) fn comes_first(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (runs(a).peekable(), runs(b).peekable());
    loop {
        let (Some(x), Some(y)) = (a.next(), b.next()) else {
            return false;
        };
        match (x.parse::<i64>(), y.parse::<i64>()) {
            (Ok(x), Ok(y)) if x != y => return x < y,
            (Ok(_), Ok(_)) => {}
            _ if x != y => return x < y,
            _ => {}
        }
        if a.peek().is_none() {
            return true;
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
        sort_by(&mut names, |a, b| comes_first(a, b));
        assert_eq!(names, ["9é", "a", "node", "node9", "node9b", "node10"]);
        assert!(comes_first("a01", "a1") && comes_first("a1", "a01"));
        assert!(!comes_first("", "a") && !comes_first("a", ""));
    }
}

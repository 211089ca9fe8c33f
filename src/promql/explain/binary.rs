//! Operators: which side is empty, whether sides have partners, and how far a comparison is from true.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Ask, Found, Sample, Walk, is_plain, number, series, shown};
use crate::model::METRIC_NAME;
use crate::promql::ast::{BinaryExpr, BinaryOp, Expr, VectorMatching};

impl<A: Ask> Walk<'_, A> {
    pub(super) fn empty_binary(
        &mut self,
        binary: &BinaryExpr,
        depth: usize,
    ) -> Result<(), A::Error> {
        if binary.op == BinaryOp::Or {
            // A chain of `or` leans to the left; its parts are told beside each other.
            self.nothing(&binary.lhs, depth)?;
            return self.nothing(&binary.rhs, depth);
        }
        if self.descend(&binary.lhs, depth)? {
            return Ok(());
        }
        if binary.op == BinaryOp::Unless {
            let taken = shown(&binary.rhs);
            let left = series(self.found(&binary.lhs)?.fitting.len());
            self.say(
                depth,
                format!(
                    "all of {left} of {} are taken away by `unless` {taken}",
                    shown(&binary.lhs)
                ),
            );
            return Ok(());
        }
        let right = self.found(&binary.rhs)?;
        if right.all == 0 {
            if binary.op == BinaryOp::And {
                self.say(
                    depth,
                    format!(
                        "{} holds, but the other side of `and` does not:",
                        shown(&binary.lhs)
                    ),
                );
                return self.nothing(&binary.rhs, depth + 1);
            }
            return self.nothing(&binary.rhs, depth);
        }
        let left = self.found(&binary.lhs)?;
        let compares = binary.op.is_comparison() && !binary.return_bool;
        match (is_plain(&binary.lhs), is_plain(&binary.rhs)) {
            (false, true) if compares => self.nearest(binary, &left, bound(&right), depth),
            (true, false) if compares => self.nearest(binary, &right, bound(&left), depth),
            (false, false) => self.sides(binary, &left, &right, depth)?,
            _ => self.say(
                depth,
                format!("{} gives nothing", shown(&Expr::Binary(binary.clone()))),
            ),
        }
        Ok(())
    }

    /// A comparison with a number: the value that is nearest to it.
    fn nearest(&mut self, binary: &BinaryExpr, vector: &Found, bound: f64, depth: usize) {
        let side = if is_plain(&binary.rhs) {
            &binary.lhs
        } else {
            &binary.rhs
        };
        let held = if is_plain(&binary.rhs) {
            format!("{} {}", binary.op, number(bound))
        } else {
            format!("where {} {} it", number(bound), binary.op)
        };
        let distance = |sample: &Sample| sample.value.map(|v| (v - bound).abs());
        // Of NaN nothing is near; it is shown only when there is nothing else.
        let near = vector.fitting.iter().min_by(|a, b| {
            let key = |sample: &Sample| {
                distance(sample)
                    .filter(|d| !d.is_nan())
                    .unwrap_or(f64::INFINITY)
            };
            key(a).total_cmp(&key(b))
        });
        let n = vector.fitting.len();
        let what = shown(side);
        let text = match near {
            Some(Sample {
                value: Some(v),
                labels,
            }) if n == 1 => {
                format!(
                    "{what} is {} {}, which is not {held}",
                    number(*v),
                    labels.without_name()
                )
            }
            Some(Sample {
                value: Some(v),
                labels,
            }) => {
                format!(
                    "{what} has {}, none {held}; the nearest is {} {}",
                    series(n),
                    number(*v),
                    labels.without_name()
                )
            }
            _ => format!(
                "{what} has {} of native histograms, which no number is compared with",
                series(n)
            ),
        };
        self.say(depth, text);
    }

    /// Two vectors: do their labels meet, and if they do, why is nothing left?
    fn sides(
        &mut self,
        binary: &BinaryExpr,
        left: &Found,
        right: &Found,
        depth: usize,
    ) -> Result<(), A::Error> {
        if binary.op.is_comparison() && !binary.return_bool {
            // The same pairs, whatever the comparison says of them.
            let mut distance = binary.clone();
            distance.op = BinaryOp::Sub;
            let pairs = self.found(&Expr::Binary(distance))?;
            let near = pairs
                .fitting
                .iter()
                .filter(|pair| pair.value.is_some_and(|v| !v.is_nan()));
            let near = near.min_by(|a, b| {
                a.value
                    .unwrap_or_default()
                    .abs()
                    .total_cmp(&b.value.unwrap_or_default().abs())
            });
            if !pairs.fitting.is_empty() {
                let mut text = format!(
                    "{} holds for none of {} pairs of series",
                    binary.op,
                    pairs.fitting.len()
                );
                if let Some(Sample {
                    labels,
                    value: Some(value),
                }) = near
                {
                    let _ = write!(
                        text,
                        "; in the nearest the left side is greater by {} {}",
                        number(*value),
                        labels.without_name()
                    );
                }
                self.say(depth, text);
                return Ok(());
            }
        }
        let how = binary.matching.as_ref().map_or_else(String::new, on);
        self.say(
            depth,
            format!(
                "`{}` finds no two series whose labels agree{how}:",
                binary.op
            ),
        );
        for (side, found) in [(&binary.lhs, left), (&binary.rhs, right)] {
            let example = found.fitting.first();
            let example =
                example.map(|sample| format!(", such as {}", sample.labels.without_name()));
            self.say(
                depth + 1,
                format!(
                    "{} has {}{}",
                    shown(side),
                    series(found.all),
                    example.unwrap_or_default()
                ),
            );
        }
        for (one, found, other) in [("left", left, right), ("right", right, left)] {
            let alone = names(found, binary)
                .difference(&names(other, binary))
                .cloned()
                .collect::<Vec<_>>();
            if !alone.is_empty() {
                self.say(
                    depth + 1,
                    format!("only the {one} side has the labels {}", alone.join(", ")),
                );
            }
        }
        Ok(())
    }
}

/// The number that a scalar gives.
fn bound(found: &Found) -> f64 {
    found
        .fitting
        .first()
        .and_then(|sample| sample.value)
        .unwrap_or(f64::NAN)
}

/// In words: the labels that count.
fn on(matching: &VectorMatching) -> String {
    match (matching.on, matching.labels.is_empty()) {
        (true, _) => format!(" on ({})", matching.labels.join(", ")),
        (false, true) => String::new(),
        (false, false) => format!(" ignoring ({})", matching.labels.join(", ")),
    }
}

/// The names of labels that count when sides are matched.
fn names(found: &Found, binary: &BinaryExpr) -> BTreeSet<String> {
    let counts = |name: &str| match &binary.matching {
        _ if name == METRIC_NAME => false,
        Some(matching) => matching.on == matching.labels.iter().any(|label| label == name),
        None => true,
    };
    let all = found.fitting.iter().flat_map(|sample| sample.labels.iter());
    all.map(|(name, _)| name)
        .filter(|name| counts(name))
        .map(str::to_owned)
        .collect()
}

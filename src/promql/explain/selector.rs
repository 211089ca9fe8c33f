//! Selectors: is there such a metric, and which matcher fits none of its series?

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Ask, Walk, series, shown};
use crate::model::labels::is_legacy_name;
use crate::model::{METRIC_NAME, MatchOp, Matcher};
use crate::promql::ast::{Expr, MatrixSelector, VectorSelector};
use crate::text::quote::quote;
use crate::text::suggest;

/// Values of a label that are listed.
const VALUES_SHOWN: usize = 5;

impl<A: Ask> Walk<'_, A> {
    /// `matrix` is the range whose samples are meant, if it is not the latest ones.
    pub(super) fn no_series(
        &mut self,
        selector: &VectorSelector,
        matrix: Option<&MatrixSelector>,
        depth: usize,
    ) -> Result<(), A::Error> {
        let whole = text(selector, matrix);
        let others = selector
            .matchers
            .iter()
            .filter(|m| m.name != METRIC_NAME)
            .count();
        let named = without(selector, |m| m.name != METRIC_NAME);
        if others > 0 && selects(&named) {
            let named_found = self.present(&named, matrix)?;
            if named_found > 0 {
                self.say(
                    depth,
                    format!(
                        "{whole} finds nothing, though {} has {}:",
                        text(&named, matrix),
                        series(named_found)
                    ),
                );
                return self.blame(selector, matrix, depth + 1);
            }
        }
        let mut names = selector.matchers.iter().filter(|m| m.name == METRIC_NAME);
        let text = match names.find(|m| m.op == MatchOp::Equal) {
            Some(name) => {
                let why = self.no_such_name(&name.value, matrix)?;
                format!("{whole} finds nothing: {why}")
            }
            None => format!("{whole} finds nothing"),
        };
        self.say(depth, text);
        Ok(())
    }

    /// A metric without series: was there ever one, or one that is called alike?
    fn no_such_name(
        &mut self,
        name: &str,
        matrix: Option<&MatrixSelector>,
    ) -> Result<String, A::Error> {
        if self.names.is_none() {
            self.names = Some(self.ask.metric_names()?);
        }
        let known = self.names.as_deref().unwrap_or_default();
        if known.iter().any(|known| known == name) {
            let when = if matrix.is_some() {
                "in this range"
            } else {
                "at this time"
            };
            return Ok(format!(
                "{name} has been seen here, but has no sample {when}; does its target still answer?"
            ));
        }
        let mut text = format!("no metric here was ever named {name}");
        if let Some(meant) = suggest::closest(name, known.iter().map(String::as_str)) {
            let _ = write!(text, "; did you mean {meant}?");
        }
        Ok(text)
    }

    /// Which matcher, taken away alone, lets something through?
    fn blame(
        &mut self,
        selector: &VectorSelector,
        matrix: Option<&MatrixSelector>,
        depth: usize,
    ) -> Result<(), A::Error> {
        let mut blamed = false;
        for (at, matcher) in selector.matchers.iter().enumerate() {
            if matcher.name == METRIC_NAME {
                continue;
            }
            let mut rest = selector.clone();
            rest.matchers.remove(at);
            if !selects(&rest) {
                continue;
            }
            let values = self.values(&rest, matrix, &matcher.name)?;
            if values.is_empty() {
                continue;
            }
            blamed = true;
            self.say(
                depth,
                format!(
                    "without {matcher} it would find some: {}",
                    has(matcher, &values)
                ),
            );
        }
        if !blamed {
            self.say(depth, "no series fits all the rest when one matcher is left out: at least two of them fit none together");
        }
        Ok(())
    }

    /// How many series there are.
    fn present(
        &mut self,
        selector: &VectorSelector,
        matrix: Option<&MatrixSelector>,
    ) -> Result<usize, A::Error> {
        let query = format!("count({})", instant(selector, matrix));
        let count = self.query(&query)?.first().and_then(|sample| sample.value);
        Ok(count.unwrap_or_default() as usize)
    }

    /// The values that a label has.
    fn values(
        &mut self,
        selector: &VectorSelector,
        matrix: Option<&MatrixSelector>,
        label: &str,
    ) -> Result<BTreeSet<String>, A::Error> {
        let query = format!(
            "count by ({}) ({})",
            label_name(label),
            instant(selector, matrix)
        );
        let samples = self.query(&query)?;
        let value =
            |sample: &super::Sample| sample.labels.get(label).unwrap_or_default().to_owned();
        Ok(samples.iter().map(value).collect())
    }
}

/// The selector with only some of its matchers.
fn without(selector: &VectorSelector, gone: impl Fn(&Matcher) -> bool) -> VectorSelector {
    let mut rest = selector.clone();
    rest.matchers.retain(|m| !gone(m));
    rest
}

/// Whether it may be asked: a selector needs a matcher that not everything fits.
fn selects(selector: &VectorSelector) -> bool {
    selector.matchers.iter().any(|m| !m.matches_empty())
}

/// A label's name as it is written in a grouping.
fn label_name(name: &str) -> String {
    if is_legacy_name(name) {
        name.to_owned()
    } else {
        quote(name)
    }
}

fn text(selector: &VectorSelector, matrix: Option<&MatrixSelector>) -> String {
    match matrix {
        None => shown(&Expr::VectorSelector(selector.clone())),
        Some(matrix) => shown(&ranged(selector, matrix)),
    }
}

fn ranged(selector: &VectorSelector, matrix: &MatrixSelector) -> Expr {
    Expr::MatrixSelector(MatrixSelector {
        selector: selector.clone(),
        ..matrix.clone()
    })
}

/// An instant vector with a sample for each series that the selector finds.
fn instant(selector: &VectorSelector, matrix: Option<&MatrixSelector>) -> String {
    match matrix {
        None => Expr::VectorSelector(selector.clone()).to_string(),
        Some(matrix) => format!("count_over_time({})", ranged(selector, matrix)),
    }
}

/// What values there are, and which was probably meant.
fn has(matcher: &Matcher, values: &BTreeSet<String>) -> String {
    let name = &matcher.name;
    if values.iter().all(String::is_empty) {
        return format!("no such series has a label {name}");
    }
    let meant = (matcher.op == MatchOp::Equal)
        .then(|| suggest::closest(&matcher.value, values.iter().map(String::as_str)))
        .flatten();
    if let Some(meant) = meant {
        return format!("did you mean {name}={meant:?}?");
    }
    let mut list: Vec<String> = values
        .iter()
        .take(VALUES_SHOWN)
        .map(|value| format!("{value:?}"))
        .collect();
    if values.len() > VALUES_SHOWN {
        list.push(format!("and {} more", values.len() - VALUES_SHOWN));
    }
    format!("{name} is {}", list.join(", "))
}

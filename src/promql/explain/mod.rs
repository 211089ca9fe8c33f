//! Why does an expression find nothing? Walks down from the whole to the first parts that are empty, asks for
//! their values, and says in words what kept them from being more: no such series, a matcher that fits none,
//! too few samples, a comparison that holds for none, sides without partners.

mod binary;
mod selector;

use std::fmt::Display;

use super::ast::{AggregateExpr, Call, Expr, SubqueryExpr};
use crate::model::Labels;
use crate::text::gofmt;

/// Parts and questions that one explanation may have; what is beyond them is said to be left out.
const QUESTIONS_MAX: usize = 100;
/// Longest part of an expression that is shown, in characters.
const SHOWN_MAX: usize = 120;

/// Somebody who answers queries at the time that is in question.
pub trait Ask {
    /// Why a question has no answer.
    type Error: Display;

    /// The answer to an instant query; a scalar is one sample without labels.
    fn query(&mut self, query: &str) -> Result<Vec<Sample>, Self::Error>;

    /// All names that metrics have, or had as far back as is known.
    fn metric_names(&mut self) -> Result<Vec<String>, Self::Error>;
}

/// One sample of an answer.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Its series.
    pub labels: Labels,
    /// Its value; nothing for a native histogram.
    pub value: Option<f64>,
}

/// One sentence of an explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// How deep in the expression, for indentation.
    pub depth: usize,
    /// The sentence.
    pub text: String,
}

/// Says why `expr` finds nothing among the series that are `wanted`; a part may carry fewer labels than the
/// whole, so `wanted` should hold nothing against a missing one. No lines when it does find something.
pub fn why_nothing<A: Ask>(
    expr: &Expr,
    wanted: &dyn Fn(&Labels) -> bool,
    ask: &mut A,
) -> Result<Vec<Line>, A::Error> {
    let mut walk = Walk {
        ask,
        wanted,
        questions: 0,
        is_cut: false,
        names: None,
        lines: Vec::new(),
    };
    if walk.found(expr)?.fitting.is_empty() {
        walk.nothing(expr, 0)?;
    }
    Ok(walk.lines)
}

/// What a part of the expression gives.
struct Found {
    /// How many samples, of whatever labels.
    all: usize,
    /// Those with the labels in question.
    fitting: Vec<Sample>,
}

struct Walk<'a, A: Ask> {
    ask: &'a mut A,
    wanted: &'a dyn Fn(&Labels) -> bool,
    questions: usize,
    /// Whether parts were left out because of [`QUESTIONS_MAX`].
    is_cut: bool,
    /// All names of metrics, once they were asked for.
    names: Option<Vec<String>>,
    lines: Vec<Line>,
}

impl<A: Ask> Walk<'_, A> {
    fn say(&mut self, depth: usize, text: impl Into<String>) {
        let text = text.into();
        self.lines.push(Line { depth, text });
    }

    fn query(&mut self, query: &str) -> Result<Vec<Sample>, A::Error> {
        self.questions += 1;
        self.ask.query(query)
    }

    fn found(&mut self, part: &dyn Display) -> Result<Found, A::Error> {
        let samples = self.query(&part.to_string())?;
        let all = samples.len();
        let fits = |sample: &Sample| (self.wanted)(&sample.labels);
        let fitting = samples.into_iter().filter(fits).collect();
        Ok(Found { all, fitting })
    }

    /// Says why a part that is known to find nothing does not.
    fn nothing(&mut self, expr: &Expr, depth: usize) -> Result<(), A::Error> {
        if self.questions >= QUESTIONS_MAX {
            if !self.is_cut {
                self.say(depth, "the rest is not looked into: too many parts");
                self.is_cut = true;
            }
            return Ok(());
        }
        self.questions += 1;
        match expr {
            Expr::Paren(paren) => self.nothing(&paren.expr, depth),
            Expr::Unary(unary) => self.nothing(&unary.expr, depth),
            Expr::VectorSelector(selector) => self.no_series(selector, None, depth),
            Expr::MatrixSelector(matrix) => self.no_series(&matrix.selector, Some(matrix), depth),
            Expr::Subquery(subquery) => self.empty_subquery(subquery, depth),
            Expr::Aggregate(aggregate) => self.empty_aggregate(aggregate, depth),
            Expr::Call(call) => self.empty_call(call, depth),
            Expr::Binary(binary) => self.empty_binary(binary, depth),
            // Never empty.
            Expr::Number(_) | Expr::String(_) => Ok(()),
        }
    }

    /// Goes on into `part` if it finds nothing, and tells whether it did.
    fn descend(&mut self, part: &Expr, depth: usize) -> Result<bool, A::Error> {
        let found = self.found(part)?;
        if !found.fitting.is_empty() {
            return Ok(false);
        }
        if found.all > 0 {
            let others = series(found.all);
            self.say(
                depth,
                format!("{} finds {others}, but none with these labels", shown(part)),
            );
        } else {
            self.nothing(part, depth)?;
        }
        Ok(true)
    }

    fn empty_aggregate(&mut self, aggregate: &AggregateExpr, depth: usize) -> Result<(), A::Error> {
        if !self.descend(&aggregate.expr, depth)? {
            let text = format!(
                "{} of {} leaves nothing of what it is given",
                aggregate.op,
                shown(&aggregate.expr)
            );
            self.say(depth, text);
        }
        Ok(())
    }

    fn empty_subquery(&mut self, subquery: &SubqueryExpr, depth: usize) -> Result<(), A::Error> {
        if self.descend(&subquery.expr, depth)? {
            return Ok(());
        }
        self.say(
            depth,
            format!(
                "{} finds something now, but at no step of {}",
                shown(&subquery.expr),
                shown(&Expr::Subquery(subquery.clone()))
            ),
        );
        Ok(())
    }

    fn empty_call(&mut self, call: &Call, depth: usize) -> Result<(), A::Error> {
        let name = call.func.name;
        let Some(arg) = call.args.iter().find(|arg| !is_plain(arg)) else {
            self.say(depth, format!("{name}() gives nothing here"));
            return Ok(());
        };
        if matches!(
            arg.unwrap_parens(),
            Expr::MatrixSelector(_) | Expr::Subquery(_)
        ) {
            return self.empty_range_call(name, arg, depth);
        }
        if name == "absent" {
            let n = series(self.found(arg)?.all);
            self.say(
                depth,
                format!("{} finds {n}, so absent() is silent", shown(arg)),
            );
        } else if !self.descend(arg, depth)? {
            let n = series(self.found(arg)?.fitting.len());
            self.say(
                depth,
                format!("{name}() makes nothing of {n} that {} finds", shown(arg)),
            );
        }
        Ok(())
    }

    /// A function over a range: are there samples, and are there enough?
    fn empty_range_call(&mut self, name: &str, arg: &Expr, depth: usize) -> Result<(), A::Error> {
        let counts = self.found(&format!("count_over_time({arg})"))?;
        if name == "absent_over_time" {
            let n = series(counts.all);
            self.say(
                depth,
                format!(
                    "{} has samples of {n}, so absent_over_time() is silent",
                    shown(arg)
                ),
            );
            return Ok(());
        }
        if counts.all == 0 {
            return self.nothing(arg, depth);
        }
        let n = series(counts.fitting.len());
        let text = if counts.fitting.is_empty() {
            let others = series(counts.all);
            format!(
                "{} has samples of {others}, but of none with these labels",
                shown(arg)
            )
        } else if counts
            .fitting
            .iter()
            .all(|sample| sample.value == Some(1.0))
        {
            format!(
                "{} has one sample for each of {n}: too few for {name}()",
                shown(arg)
            )
        } else {
            format!(
                "{name}() makes nothing of the samples of {n} in {}",
                shown(arg)
            )
        };
        self.say(depth, text);
        Ok(())
    }
}

/// A scalar or a text: never empty.
fn is_plain(expr: &Expr) -> bool {
    use super::ast::ValueType;
    matches!(expr.value_type(), ValueType::Scalar | ValueType::String)
}

/// A part of the expression as it is shown: the beginning and the end of a long one.
fn shown(expr: &impl Display) -> String {
    let text = expr.to_string();
    let length = text.chars().count();
    if length <= SHOWN_MAX {
        return text;
    }
    let begin: String = text.chars().take(SHOWN_MAX / 2).collect();
    let end: String = text.chars().skip(length - SHOWN_MAX / 2).collect();
    format!("{begin} ... {end}")
}

fn series(n: usize) -> String {
    format!("{n} series")
}

/// A value as PromQL writes it.
fn number(value: f64) -> String {
    gofmt::float_f(value)
}

#[cfg(test)]
mod tests;

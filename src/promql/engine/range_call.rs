//! Functions over ranges: a window of samples per series and step.

use std::collections::BTreeSet;

use hashbrown::HashSet;

use super::context::{Matrix, Series, metric_name};
use super::eval::Evaluator;
use super::plan::{Call, Extension, Kind, Moment, Node, RangeSelector};
use super::window::{Points, Window, evaluated, stored};
use crate::model::Labels;
use crate::promql::Error;
use crate::promql::ast::PosRange;
use crate::promql::functions::range::{RangeFunction, RangeInput};
use crate::promql::functions::{absent_labels, extended, regression};

/// A series gets room for so many steps at once.
pub(super) const STEPS_RESERVED: usize = 256;

/// Functions that understand samples from before the range.
const WITH_ANCHORED: [&str; 5] = ["changes", "delta", "increase", "rate", "resets"];
/// Functions that understand samples from around the range.
const WITH_SMOOTHED: [&str; 3] = ["delta", "increase", "rate"];

/// A range as a function sees it.
struct Shape {
    moment: Moment,
    range_ms: i64,
    extension: Extension,
}

impl Evaluator<'_, '_> {
    /// Calls `function` with a window of each series of argument `at`.
    pub(super) fn range_call(
        &self,
        call: &Call,
        at: usize,
        function: RangeFunction,
    ) -> Result<Matrix, Error> {
        let mut scalars = Vec::new();
        for (i, arg) in call.args.iter().enumerate() {
            if i != at {
                let matrix = self.eval(arg)?;
                let values: Vec<f64> = matrix
                    .first()
                    .map(|series| series.floats.iter().map(|(_, v)| *v).collect())
                    .unwrap_or_default();
                scalars.push(values);
            }
        }
        let Some(arg) = call.args.get(at).map(Node::inner) else {
            return Ok(Matrix::new());
        };
        let mut matrix = Matrix::new();
        match &arg.kind {
            Kind::Matrix(range) => {
                check_extension(call.name, range.selector.extension)?;
                let shape = Shape {
                    moment: range.selector.moment,
                    range_ms: range.range_ms,
                    extension: range.selector.extension,
                };
                for entry in self.entries(&range.selector)? {
                    let entry = entry?;
                    let points = stored(entry.samples);
                    matrix.extend(self.range_series(
                        call,
                        function,
                        &shape,
                        &scalars,
                        (&entry.labels, false),
                        points,
                    )?);
                }
            }
            Kind::Subquery(subquery) => {
                let (inner, weight) = self.subquery_series(subquery)?;
                let shape = Shape {
                    moment: subquery.moment,
                    range_ms: subquery.range_ms,
                    extension: Extension::Plain,
                };
                for series in &inner {
                    let points = evaluated(series);
                    let labels = (&series.labels, series.drop_name);
                    matrix.extend(
                        self.range_series(call, function, &shape, &scalars, labels, points)?,
                    );
                }
                self.context.release(weight);
            }
            _ => {}
        }
        if call.name == "absent_over_time" {
            return Ok(self.absent_over_time(call, &matrix));
        }
        if !self.context.delayed_names() {
            let hasher = foldhash::fast::RandomState::default();
            let mut seen: HashSet<&Labels, _> =
                HashSet::with_capacity_and_hasher(matrix.len(), hasher);
            if !matrix.iter().all(|series| seen.insert(&series.labels)) {
                return Err(Error::same_labelset());
            }
        }
        Ok(matrix)
    }

    fn range_series(
        &self,
        call: &Call,
        function: RangeFunction,
        range: &Shape,
        scalars: &[Vec<f64>],
        (labels, drop_name): (&Labels, bool),
        points: impl Points,
    ) -> Result<Option<Series>, Error> {
        self.context.check()?;
        // These act like an offset, so the name stays.
        let keeps_name = matches!(call.name, "last_over_time" | "first_over_time");
        let mut series = Series {
            labels: if keeps_name {
                labels.clone()
            } else {
                self.context.renamed(labels)
            },
            drop_name: drop_name || !keeps_name,
            ..Series::default()
        };
        let lookback = self.context.lookback_ms;
        // compat: the evaluated subquery that takes the place of the argument is nowhere.
        let first_pos = call
            .args
            .first()
            .map_or(call.pos, |arg| match arg.inner().kind {
                Kind::Subquery(_) => PosRange::default(),
                _ => arg.pos,
            });
        let mut window = Window::new(points, self.context.options.use_start_timestamps);
        let mut numbers = Vec::with_capacity(scalars.len());
        for (i, t) in self.steps().enumerate() {
            let end = range.moment.reference(t);
            let start = end.saturating_sub(range.range_ms);
            let (min, max) = match range.extension {
                Extension::Plain => (start, end),
                Extension::Anchored => (start.saturating_sub(lookback), end),
                Extension::Smoothed => {
                    (start.saturating_sub(lookback), end.saturating_add(lookback))
                }
            };
            window.slide(self.context, min, max)?;
            if window.floats.is_empty() && window.histograms.is_empty() {
                continue;
            }
            numbers.clear();
            numbers.extend(
                scalars
                    .iter()
                    .map(|values| values.get(i).copied().unwrap_or(f64::NAN)),
            );
            let input = RangeInput {
                labels,
                floats: &window.floats,
                histograms: &window.histograms,
                float_starts: &window.float_starts,
                histogram_starts: &window.histogram_starts,
                start_ms: start,
                end_ms: end,
                range_ms: range.range_ms,
                eval_ms: t,
                extension: range.extension,
                scalars: &numbers,
                pos: first_pos,
                context: self.context,
            };
            self.context.read(t, window.size());
            if call.name == "double_exponential_smoothing" {
                regression::check_factors(&numbers)?;
            }
            if let Some(value) = function(&input) {
                if series.floats.is_empty() {
                    let left = self.step_count().saturating_sub(i);
                    series.floats.reserve(left.min(STEPS_RESERVED));
                }
                series.push(t, value);
            }
        }
        window.release(self.context);
        self.context.hold(series.size())?;
        if matches!(call.name, "rate" | "increase") && !series.floats.is_empty() {
            self.note_no_counter(labels, first_pos);
        }
        Ok((!series.is_empty()).then_some(series))
    }

    fn note_no_counter(&self, labels: &Labels, pos: PosRange) {
        let name = metric_name(labels);
        if name.is_empty() {
            return;
        }
        if self.context.options.type_and_unit_labels {
            let kind = labels.get("__type__").unwrap_or_default();
            if kind != "counter" && kind != "histogram" {
                self.context
                    .note(|notes| notes.maybe_no_counter_by_type(name, kind, pos));
            }
        } else if !["_total", "_sum", "_count", "_bucket"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
        {
            self.context.note(|notes| notes.maybe_no_counter(name, pos));
        }
    }

    /// One where no series has a sample.
    fn absent_over_time(&self, call: &Call, present: &[Series]) -> Matrix {
        let mut found = BTreeSet::new();
        for series in present {
            found.extend(series.floats.iter().map(|(t, _)| *t));
            found.extend(series.histograms.iter().map(|(t, _)| *t));
        }
        let floats: Vec<(i64, f64)> = self
            .steps()
            .filter(|t| !found.contains(t))
            .map(|t| (t, 1.0))
            .collect();
        if floats.is_empty() {
            return Matrix::new();
        }
        vec![Series {
            labels: call.args.first().map(absent_labels).unwrap_or_default(),
            floats,
            histograms: Vec::new(),
            drop_name: true,
        }]
    }

    /// A range selector as the whole query.
    pub(super) fn matrix_selector(
        &self,
        range: &RangeSelector,
        pos: PosRange,
    ) -> Result<Matrix, Error> {
        let selector = &range.selector;
        let end = selector.moment.reference(self.start);
        let start = end.saturating_sub(range.range_ms);
        let lookback = self.context.lookback_ms;
        let (min, max) = match selector.extension {
            Extension::Plain => (start, end),
            Extension::Anchored => (start.saturating_sub(lookback), end),
            Extension::Smoothed => (start.saturating_sub(lookback), end.saturating_add(lookback)),
        };
        let mut matrix = Matrix::new();
        for entry in self.entries(selector)? {
            let entry = entry?;
            self.context.check()?;
            let mut window = Window::new(stored(entry.samples), false);
            window.slide(self.context, min, max)?;
            self.context.read(self.start, window.size());
            let mut series = Series {
                labels: entry.labels,
                floats: window.floats,
                histograms: window.histograms,
                drop_name: false,
            };
            if selector.extension != Extension::Plain {
                let smoothed = selector.extension == Extension::Smoothed;
                self.context.note(|notes| {
                    extended::extend(&mut series, start, end, smoothed, notes, pos);
                });
            }
            if !series.is_empty() {
                matrix.push(series);
            }
        }
        Ok(matrix)
    }
}

fn check_extension(function: &str, extension: Extension) -> Result<(), Error> {
    let (word, known) = match extension {
        Extension::Plain => return Ok(()),
        Extension::Anchored => ("anchored", WITH_ANCHORED.as_slice()),
        Extension::Smoothed => ("smoothed", WITH_SMOOTHED.as_slice()),
    };
    if known.contains(&function) {
        Ok(())
    } else {
        Err(Error::execution(format!(
            "{word} modifier can only be used with: {} - not with {function}",
            known.join(", ")
        )))
    }
}

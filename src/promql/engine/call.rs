//! Function calls: which way of evaluation a function needs.

use super::context::{Matrix, Sample, Series, Vector};
use super::eval::Evaluator;
use super::plan::{Call, Kind, Node, Selector};
use super::select::Cursor;
use crate::promql::Error;
use crate::promql::functions::{self, instant::CallInput, labels};
use crate::storage::{SampleIter, SelectHints, one_by_one};

impl Evaluator<'_, '_> {
    pub(super) fn call(&self, call: &Call) -> Result<Matrix, Error> {
        if matches!(call.name, "timestamp" | "start_timestamp")
            && let Some(arg) = call.args.first()
            && let Kind::Vector(selector) = &arg.inner().kind
        {
            return self.sample_times(call, selector);
        }
        let range = call
            .args
            .iter()
            .position(|arg| matches!(arg.inner().kind, Kind::Matrix(_) | Kind::Subquery(_)));
        match (call.name, range) {
            ("label_replace", _) => labels::label_replace(self, call),
            ("label_join", _) => labels::label_join(self, call),
            ("info", _) => functions::info::info(self, call),
            (name, Some(at)) => match functions::range::function(name) {
                Some(function) => self.range_call(call, at, function),
                None => Err(Error::execution(format!("unknown function {name}"))),
            },
            (name, None) => {
                if name.starts_with("sort") && !self.is_instant() {
                    self.context
                        .note(|notes| notes.sort_in_range_query(call.pos));
                }
                let Some(function) = functions::instant::function(name) else {
                    return Err(Error::execution(format!("unknown function {name}")));
                };
                let args: Vec<&Node> = call.args.iter().collect();
                self.at_each_step(&args, None, |step| {
                    Ok(function(&mut CallInput {
                        call,
                        step,
                        context: self.context,
                    }))
                })
            }
        }
    }

    /// `timestamp` and `start_timestamp` of a selector see when samples were taken, which evaluated
    /// vectors no longer tell.
    fn sample_times(&self, call: &Call, selector: &Selector) -> Result<Matrix, Error> {
        let of_start = call.name == "start_timestamp";
        if of_start && !self.context.options.use_start_timestamps {
            return Ok(Matrix::new());
        }
        let mut matrix = Matrix::new();
        for entry in self.entries(selector)? {
            let entry = entry?;
            self.context.check()?;
            let mut cursor = Cursor::new(within(entry.samples, &selector.hints));
            let mut series = Series {
                labels: self.context.renamed(&entry.labels),
                drop_name: true,
                ..Series::default()
            };
            for t in self.steps() {
                self.context.tick()?;
                // compat: with `@` upstream forgets the offset here, though not where it selects samples.
                let reference = selector
                    .moment
                    .at_ms
                    .unwrap_or_else(|| selector.moment.reference(t));
                let Some(sample) = cursor.at(self.context, reference)? else {
                    continue;
                };
                let time = if of_start {
                    sample.start_timestamp_ms
                } else {
                    sample.timestamp_ms
                };
                self.context.hold(1)?;
                self.context.read(t, 1);
                series.floats.push((t, time as f64 / 1000.0));
            }
            if !series.is_empty() {
                matrix.push(series);
            }
        }
        self.check_labelsets(matrix)
    }

    /// Refuses series with the same labels unless names wait for the end.
    pub(crate) fn check_labelsets(&self, matrix: Matrix) -> Result<Matrix, Error> {
        if self.context.delayed_names() {
            Ok(matrix)
        } else {
            super::cleanup::merge_same_labelset(matrix)
        }
    }
}

/// The samples that a selector asked for; a store may give more.
fn within<'a>(samples: SampleIter<'a>, hints: &SelectHints) -> SampleIter<'a> {
    let times = hints.min_ms..=hints.max_ms;
    one_by_one(samples.filter(move |sample| {
        sample
            .as_ref()
            .map_or(true, |sample| times.contains(&sample.timestamp_ms))
    }))
}

/// A vector of one number without labels, which is how scalars are passed on.
pub(crate) fn scalar(value: f64) -> Vector {
    vec![Sample::new(crate::model::Labels::empty(), value)]
}

//! From series to vectors and back: evaluates operands, then calls a function at every step.

use std::collections::HashMap;

use super::context::{Matrix, Sample, Series, Vector, size};
use super::eval::Evaluator;
use super::plan::Node;
use crate::model::{Labels, METRIC_NAME};
use crate::promql::ast::{ValueType, VectorMatching};
use crate::promql::{Error, PointValue};

/// What a function sees at one step.
pub(crate) struct Step {
    /// The time of the step.
    pub(crate) t: i64,
    /// One vector per operand; empty for strings.
    pub(crate) vectors: Vec<Vector>,
    /// For each sample of each vector the number of its match group, when series are matched.
    pub(crate) groups: Vec<Vec<usize>>,
    /// How many match groups there are.
    pub(crate) group_count: usize,
}

/// Reads one sample per series and step from front to back.
pub(crate) struct Reader<'m> {
    matrix: &'m [Series],
    floats: Vec<usize>,
    histograms: Vec<usize>,
}

impl<'m> Reader<'m> {
    pub(crate) fn new(matrix: &'m [Series]) -> Self {
        Self {
            matrix,
            floats: vec![0; matrix.len()],
            histograms: vec![0; matrix.len()],
        }
    }

    /// The value of a series at `t`, which it moves past.
    pub(crate) fn value(&mut self, at: usize, t: i64) -> Option<PointValue> {
        let series = self.matrix.get(at)?;
        let (float, histogram) = (self.floats.get_mut(at)?, self.histograms.get_mut(at)?);
        if let Some((_, v)) = series.floats.get(*float).filter(|point| point.0 == t) {
            *float += 1;
            return Some(PointValue::Float(*v));
        }
        let (_, h) = series
            .histograms
            .get(*histogram)
            .filter(|point| point.0 == t)?;
        *histogram += 1;
        Some(PointValue::Histogram(h.clone()))
    }
}

/// Collects the vectors of all steps into series.
pub(crate) struct Collector {
    series: Vec<Series>,
    /// Where the series of given labels is and when it was last written.
    known: HashMap<Labels, (usize, i64)>,
}

impl Collector {
    pub(crate) fn new() -> Self {
        Self {
            series: Vec::new(),
            known: HashMap::new(),
        }
    }

    pub(crate) fn add(&mut self, t: i64, sample: Sample) -> Result<(), Error> {
        let free = self.series.len();
        let (at, last) = self
            .known
            .entry(sample.labels.clone())
            .or_insert_with(|| (free, t.wrapping_sub(1)));
        if *at < free && *last == t {
            return Err(Error::same_labelset());
        }
        *last = t;
        if *at == free {
            self.series.push(Series {
                labels: sample.labels,
                drop_name: sample.drop_name,
                ..Series::default()
            });
        }
        if let Some(series) = self.series.get_mut(*at) {
            series.push(t, sample.value);
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Matrix {
        self.series
    }
}

impl Evaluator<'_, '_> {
    /// Evaluates `operands` and calls `function` with their values at every step.
    pub(crate) fn at_each_step(
        &self,
        operands: &[&Node],
        matching: Option<&VectorMatching>,
        mut function: impl FnMut(&mut Step) -> Result<Vector, Error>,
    ) -> Result<Matrix, Error> {
        let context = self.context;
        let samples_before = context.samples();
        let mut matrices = Vec::with_capacity(operands.len());
        for operand in operands {
            matrices.push(if operand.value_type == ValueType::String {
                Matrix::new()
            } else {
                self.eval(operand)?
            });
        }
        let (groups, group_count) =
            matching.map_or_else(|| (Vec::new(), 0), |matching| group(&matrices, matching));
        let mut readers: Vec<Reader<'_>> = matrices.iter().map(|m| Reader::new(m)).collect();
        let mut held = context.samples();
        let mut collector = Collector::new();
        let mut only = None;
        for t in self.steps() {
            context.tick()?;
            context.set_samples(held);
            let mut step = Step {
                t,
                vectors: Vec::with_capacity(operands.len()),
                groups: Vec::with_capacity(groups.len()),
                group_count,
            };
            for (at, (matrix, reader)) in matrices.iter().zip(&mut readers).enumerate() {
                let mut vector = Vector::new();
                let mut numbers = Vec::new();
                for (i, series) in matrix.iter().enumerate() {
                    let Some(value) = reader.value(i, t) else {
                        continue;
                    };
                    context.hold(1)?;
                    vector.push(Sample {
                        labels: series.labels.clone(),
                        value,
                        drop_name: series.drop_name,
                    });
                    if let Some(group) = groups.get(at).and_then(|groups| groups.get(i)) {
                        numbers.push(*group);
                    }
                }
                step.vectors.push(vector);
                step.groups.push(numbers);
            }
            let result = function(&mut step)?;
            let weight: usize = result.iter().map(|sample| sample.value.size()).sum();
            context.hold(weight)?;
            held = held.saturating_add(weight);
            if self.is_instant() {
                only = Some(result);
                break;
            }
            for sample in result {
                collector.add(t, sample)?;
            }
        }
        let matrix = match only {
            Some(result) => self.one_step(result)?,
            None => collector.finish(),
        };
        context.set_samples(samples_before.saturating_add(size(&matrix)));
        Ok(matrix)
    }

    /// The result of the only step, its order kept.
    fn one_step(&self, result: Vector) -> Result<Matrix, Error> {
        if !self.context.delayed_names() {
            let mut seen: Vec<&Labels> = result.iter().map(|sample| &sample.labels).collect();
            seen.sort_unstable();
            if seen.windows(2).any(|pair| pair.first() == pair.last()) {
                return Err(Error::same_labelset());
            }
        }
        Ok(result
            .into_iter()
            .map(|sample| {
                let mut series = Series {
                    labels: sample.labels,
                    drop_name: sample.drop_name,
                    ..Series::default()
                };
                series.push(self.start, sample.value);
                series
            })
            .collect())
    }
}

/// Numbers the match group of every series.
fn group(matrices: &[Matrix], matching: &VectorMatching) -> (Vec<Vec<usize>>, usize) {
    let mut known: HashMap<Labels, usize> = HashMap::new();
    let groups = matrices
        .iter()
        .map(|matrix| {
            matrix
                .iter()
                .map(|series| {
                    let free = known.len();
                    *known
                        .entry(match_labels(&series.labels, matching))
                        .or_insert(free)
                })
                .collect()
        })
        .collect();
    (groups, known.len())
}

/// The labels that decide which series match.
pub(crate) fn match_labels(labels: &Labels, matching: &VectorMatching) -> Labels {
    labels.filter(|name| {
        let listed = matching.labels.iter().any(|label| label == name);
        if matching.on {
            listed
        } else {
            !listed && name != METRIC_NAME
        }
    })
}

//! Binary operators between scalars and vectors.

use std::collections::{HashMap, HashSet};

use super::context::{Matrix, Sample, Vector, is_metadata};
use super::elements::{Outcome, elements, scalars};
use super::eval::Evaluator;
use super::plan::Binary;
use super::steps::{Step, match_labels};
use crate::model::{Labels, LabelsBuilder};
use crate::promql::ast::{BinaryOp, PosRange, ValueType, VectorMatchCardinality, VectorMatching};
use crate::promql::{Error, PointValue};

/// A binary operation and where it stands.
#[derive(Clone, Copy)]
struct Operation<'b> {
    binary: &'b Binary,
    pos: PosRange,
}

impl Evaluator<'_, '_> {
    pub(super) fn binary(&self, binary: &Binary, pos: PosRange) -> Result<Matrix, Error> {
        let operands = [&*binary.lhs, &*binary.rhs];
        let operation = Operation { binary, pos };
        match (binary.lhs.value_type, binary.rhs.value_type) {
            (ValueType::Scalar, ValueType::Scalar) => self.at_each_step(&operands, None, |step| {
                let value = scalars(binary.op, number(step, 0), number(step, 1));
                Ok(super::call::scalar(value))
            }),
            (ValueType::Scalar, _) => self.at_each_step(&operands, None, |step| {
                let scalar = number(step, 0);
                Ok(self.with_scalar(operation, take(step, 1), scalar, true))
            }),
            (_, ValueType::Scalar) => self.at_each_step(&operands, None, |step| {
                let scalar = number(step, 1);
                Ok(self.with_scalar(operation, take(step, 0), scalar, false))
            }),
            _ => {
                let default = VectorMatching::default();
                let matching = binary.matching.as_ref().unwrap_or(&default);
                self.at_each_step(&operands, Some(matching), |step| {
                    if binary.op.is_set() {
                        Ok(set_operation(binary.op, step))
                    } else {
                        self.vectors(operation, matching, step)
                    }
                })
            }
        }
    }

    /// A vector with a scalar; `swapped` when the scalar stands left.
    fn with_scalar(
        &self,
        Operation { binary, pos }: Operation<'_>,
        vector: Vector,
        scalar: f64,
        swapped: bool,
    ) -> Vector {
        let mut out = Vector::with_capacity(vector.len());
        for mut sample in vector {
            let scalar = PointValue::Float(scalar);
            let outcome = if swapped {
                elements(binary.op, &scalar, &sample.value)
            } else {
                elements(binary.op, &sample.value, &scalar)
            };
            let Some((mut value, mut keep)) = self.noted(outcome, binary.op, pos) else {
                continue;
            };
            // A comparison keeps the vector's value on whichever side it stands.
            if swapped && binary.op.is_comparison() {
                value = sample.value.clone();
            }
            if binary.return_bool {
                value = PointValue::Float(f64::from(u8::from(keep)));
                keep = true;
            }
            if !keep {
                continue;
            }
            sample.value = value;
            if changes_meaning(binary.op) || binary.return_bool {
                sample.labels = self.context.renamed(&sample.labels);
                sample.drop_name = true;
            }
            out.push(sample);
        }
        out
    }

    /// Passes remarks on; `None` when there is no result.
    fn noted(&self, outcome: Outcome, op: BinaryOp, pos: PosRange) -> Option<(PointValue, bool)> {
        match outcome {
            Outcome::Value(value, keep) => Some((value, keep)),
            Outcome::Combined {
                value,
                seen,
                operation,
            } => {
                self.context.note(|notes| {
                    if seen.hints_collided {
                        notes.resets_collide(operation, pos);
                    }
                    if seen.bounds_reconciled {
                        notes.bounds_reconciled(operation, pos);
                    }
                });
                Some((value, true))
            }
            Outcome::IncompatibleTypes(lhs, rhs) => {
                self.context
                    .note(|notes| notes.incompatible_types(lhs, op.as_str(), rhs, pos));
                None
            }
            Outcome::IncompatibleLayout => {
                self.context
                    .note(|notes| notes.incompatible_layout(op.as_str(), pos));
                None
            }
        }
    }

    /// An operation between matching series of two vectors, but for the set operators.
    fn vectors(
        &self,
        operation: Operation<'_>,
        matching: &VectorMatching,
        step: &mut Step,
    ) -> Result<Vector, Error> {
        let swapped = matching.card == VectorMatchCardinality::OneToMany;
        let (mut many, mut one) = ((take(step, 0), 0), (take(step, 1), 1));
        let no_fill = matching.fill.lhs.is_none() && matching.fill.rhs.is_none();
        if (many.0.is_empty() && one.0.is_empty())
            || (no_fill && (many.0.is_empty() || one.0.is_empty()))
        {
            return Ok(Vector::new());
        }
        if swapped {
            (many, one) = (one, many);
        }
        let groups = |side: usize| step.groups.get(side).map(Vec::as_slice).unwrap_or_default();
        let (many_groups, one_groups) = (groups(many.1), groups(one.1));
        let (many, one) = (many.0, one.0);
        let mut by_group: Vec<Option<&Sample>> = vec![None; step.group_count];
        for (sample, group) in one.iter().zip(one_groups) {
            let Some(place) = by_group.get_mut(*group) else {
                continue;
            };
            if let Some(other) = place {
                return Err(duplicate(sample, other, matching, swapped));
            }
            *place = Some(sample);
        }
        let mut join = Join {
            evaluator: self,
            operation,
            matching,
            matched: HashMap::new(),
            out: Vector::new(),
        };
        let (fill_many, fill_one) = if swapped {
            (matching.fill.rhs, matching.fill.lhs)
        } else {
            (matching.fill.lhs, matching.fill.rhs)
        };
        let filled = |sample: &Sample, value: f64| {
            Sample::new(match_labels(&sample.labels, matching), value)
        };
        for (sample, group) in many.iter().zip(many_groups) {
            match (by_group.get(*group).copied().flatten(), fill_one) {
                (Some(one), _) => join.add(sample, one, *group)?,
                (None, Some(fill)) => join.add(sample, &filled(sample, fill), *group)?,
                (None, None) => {}
            }
        }
        if let Some(fill) = fill_many {
            for (sample, group) in one.iter().zip(one_groups) {
                if !join.matched.contains_key(group) {
                    join.add(&filled(sample, fill), sample, *group)?;
                }
            }
        }
        Ok(join.out)
    }
}

/// The results of one step of an operation between vectors.
struct Join<'a, 'c, 'q> {
    evaluator: &'a Evaluator<'c, 'q>,
    operation: Operation<'a>,
    matching: &'a VectorMatching,
    /// Groups that have a result, with the labels of the results where there may be several.
    matched: HashMap<usize, HashSet<Labels>>,
    out: Vector,
}

impl Join<'_, '_, '_> {
    fn add(&mut self, many: &Sample, one: &Sample, group: usize) -> Result<(), Error> {
        let Operation { binary, pos } = self.operation;
        let (lhs, rhs) = if self.matching.card == VectorMatchCardinality::OneToMany {
            (one, many)
        } else {
            (many, one)
        };
        let outcome = elements(binary.op, &lhs.value, &rhs.value);
        let Some((mut value, keep)) = self.evaluator.noted(outcome, binary.op, pos) else {
            return Ok(());
        };
        if binary.return_bool {
            value = PointValue::Float(f64::from(u8::from(keep)));
        }
        let mut labels = result_labels(&many.labels, &one.labels, binary.op, self.matching);
        if binary.return_bool {
            labels = self.evaluator.context.renamed(&labels);
        }
        let known = self.matched.contains_key(&group);
        let results = self.matched.entry(group).or_default();
        if self.matching.card == VectorMatchCardinality::OneToOne {
            if known {
                return Err(Error::execution(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)",
                ));
            }
        } else if !results.insert(labels.clone()) {
            return Err(Error::execution(
                "multiple matches for labels: grouping labels must ensure unique matches",
            ));
        }
        if keep || binary.return_bool {
            self.out.push(Sample {
                labels,
                value,
                drop_name: binary.return_bool,
            });
        }
        Ok(())
    }
}

fn duplicate(sample: &Sample, other: &Sample, matching: &VectorMatching, swapped: bool) -> Error {
    let side = if swapped { "left" } else { "right" };
    let (first, second) = if sample.labels < other.labels {
        (&sample.labels, &other.labels)
    } else {
        (&other.labels, &sample.labels)
    };
    Error::execution(format!(
        "found duplicate series for the match group {} on the {side} hand-side of the operation: [{}, {}];many-to-many matching not allowed: matching labels must be unique on one side",
        match_labels(&sample.labels, matching),
        first,
        second
    ))
}

/// The labels of a result: those of the side with more series, changed as the matching says.
fn result_labels(many: &Labels, one: &Labels, op: BinaryOp, matching: &VectorMatching) -> Labels {
    let one_to_one = matching.card == VectorMatchCardinality::OneToOne;
    let kept = many.filter(|name| {
        if changes_meaning(op) && is_metadata(name) {
            return false;
        }
        let listed = matching.labels.iter().any(|label| label == name);
        !one_to_one || listed == matching.on
    });
    if matching.include.is_empty() {
        return kept;
    }
    let mut labels = LabelsBuilder::from(&kept);
    for name in &matching.include {
        labels.set(name, one.get(name).unwrap_or_default());
    }
    labels.build()
}

fn set_operation(op: BinaryOp, step: &mut Step) -> Vector {
    let (lhs, rhs) = (take(step, 0), take(step, 1));
    let present = |side: usize| {
        let mut present = vec![false; step.group_count];
        for group in step.groups.get(side).into_iter().flatten() {
            if let Some(place) = present.get_mut(*group) {
                *place = true;
            }
        }
        present
    };
    let filtered = |vector: Vector, side: usize, other: &[bool], wanted: bool| -> Vector {
        let groups = step.groups.get(side).map(Vec::as_slice).unwrap_or_default();
        vector
            .into_iter()
            .zip(groups)
            .filter(|(_, group)| other.get(**group).copied().unwrap_or(false) == wanted)
            .map(|(sample, _)| sample)
            .collect()
    };
    match op {
        BinaryOp::And => filtered(lhs, 0, &present(1), true),
        BinaryOp::Unless => filtered(lhs, 0, &present(1), false),
        _ => {
            let mut out = lhs;
            out.extend(filtered(rhs, 1, &present(0), false));
            out
        }
    }
}

/// Whether the result no longer measures what the operand did.
const fn changes_meaning(op: BinaryOp) -> bool {
    matches!(
        op,
        BinaryOp::Add
            | BinaryOp::Sub
            | BinaryOp::Mul
            | BinaryOp::Div
            | BinaryOp::Pow
            | BinaryOp::Mod
            | BinaryOp::Atan2
    )
}

fn take(step: &mut Step, at: usize) -> Vector {
    step.vectors
        .get_mut(at)
        .map(std::mem::take)
        .unwrap_or_default()
}

/// The value of a scalar operand.
fn number(step: &Step, at: usize) -> f64 {
    step.vectors
        .get(at)
        .and_then(|vector| vector.first()?.value.float())
        .unwrap_or(f64::NAN)
}

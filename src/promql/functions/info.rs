//! `info`: adds the labels of info metrics to series of the same `instance` and `job`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher};
use crate::promql::Error;
use crate::promql::engine::context::{Matrix, Sample, Vector, metric_name, size};
use crate::promql::engine::eval::Evaluator;
use crate::promql::engine::plan::{Call, Kind, Moment, Node};
use crate::promql::engine::select::Cursor;
use crate::promql::engine::steps::{Collector, Reader};
use crate::storage::SelectHints;

/// The labels that tell which series belong together.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
/// The info metric when none is named.
const TARGET_INFO: &str = "target_info";

/// What the second argument asks for.
struct Wanted {
    /// Conditions on the name of info metrics.
    names: Vec<Matcher>,
    /// Conditions on other labels, which then are the only ones that are added.
    data: BTreeMap<String, Vec<Matcher>>,
}

pub(crate) fn info(evaluator: &Evaluator<'_, '_>, call: &Call) -> Result<Matrix, Error> {
    let Some(base) = call.args.first() else {
        return Ok(Matrix::new());
    };
    let matrix = evaluator.eval(base)?;
    let wanted = wanted(call.args.get(1))?;
    // Info metrics are not enriched with themselves.
    let ignored: HashSet<Labels> = matrix
        .iter()
        .filter(|series| {
            let name = metric_name(&series.labels);
            wanted.names.iter().all(|m| m.matches(name))
        })
        .map(|series| series.labels.clone())
        .collect();
    let infos = info_series(evaluator, base, &matrix, &ignored, &wanted)?;
    combine(evaluator, &matrix, &infos, &ignored, &wanted.data)
}

fn wanted(selector: Option<&Node>) -> Result<Wanted, Error> {
    let mut wanted = Wanted {
        names: Vec::new(),
        data: BTreeMap::new(),
    };
    if let Some(Kind::Vector(selector)) = selector.map(|node| &node.inner().kind) {
        for matcher in &selector.matchers {
            if matcher.name == METRIC_NAME {
                wanted.names.push(matcher.clone());
            } else {
                wanted
                    .data
                    .entry(matcher.name.clone())
                    .or_default()
                    .push(matcher.clone());
            }
        }
    }
    if wanted.names.is_empty() {
        wanted.names.push(Matcher::equal(METRIC_NAME, TARGET_INFO));
    } else if wanted
        .names
        .iter()
        .all(|m| matches!(m.op, MatchOp::NotEqual | MatchOp::NotRegex))
    {
        // Conditions that only exclude apply to whatever looks like an info metric.
        wanted.names.push(
            Matcher::new(MatchOp::Regex, METRIC_NAME, ".+_info")
                .map_err(|error| Error::execution(error.to_string()))?,
        );
    }
    Ok(wanted)
}

/// The place in time of the first selector within an expression, which is that of the info metrics. The
/// subqueries around it shift it too, up to the first `@`.
fn first_moment(node: &Node) -> Option<Moment> {
    match &node.kind {
        Kind::Number(_) | Kind::String(_) => None,
        Kind::Vector(selector) => Some(selector.moment),
        Kind::Matrix(range) => Some(range.selector.moment),
        Kind::Subquery(subquery) => {
            let inner = first_moment(&subquery.expr)?;
            Some(match inner.at_ms {
                Some(_) => inner,
                None => Moment {
                    offset_ms: inner.offset_ms.saturating_add(subquery.moment.offset_ms),
                    at_ms: subquery.moment.at_ms,
                },
            })
        }
        Kind::Call(call) => call.args.iter().find_map(first_moment),
        Kind::Binary(binary) => first_moment(&binary.lhs).or_else(|| first_moment(&binary.rhs)),
        Kind::Negate(inner) | Kind::StepInvariant(inner) => first_moment(inner),
        Kind::Aggregate(aggregate) => first_moment(&aggregate.expr),
    }
}

/// Info series that may belong to the base series, with the time of their sample as value.
fn info_series(
    evaluator: &Evaluator<'_, '_>,
    base: &Node,
    matrix: &Matrix,
    ignored: &HashSet<Labels>,
    wanted: &Wanted,
) -> Result<Matrix, Error> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for series in matrix {
        if ignored.contains(&series.labels) {
            continue;
        }
        for name in IDENTIFYING {
            if let Some(value) = series.labels.get(name) {
                values.entry(name).or_default().insert(value);
            }
        }
    }
    if values.is_empty() {
        return Ok(Matrix::new());
    }
    let mut matchers = Vec::new();
    for (name, values) in values {
        let values: Vec<String> = values.into_iter().map(regex_syntax::escape).collect();
        let matcher = Matcher::new(MatchOp::Regex, name, values.join("|"))
            .map_err(|error| Error::execution(error.to_string()))?;
        matchers.push(matcher);
    }
    matchers.extend(wanted.data.values().flatten().cloned());
    matchers.extend(wanted.names.iter().cloned());
    let context = evaluator.context;
    let moment = first_moment(base).unwrap_or(Moment {
        offset_ms: 0,
        at_ms: None,
    });
    let back = context.lookback_ms.saturating_sub(1);
    let hints = SelectHints {
        min_ms: moment.reference(evaluator.start).saturating_sub(back),
        max_ms: moment.reference(evaluator.end),
        step_ms: evaluator.step,
        function: "info".to_owned(),
        limit: 0,
        sorted: false,
    };
    let mut infos = Matrix::new();
    for entry in context.querier.select(&hints, &matchers)? {
        let entry = entry?;
        context.check()?;
        let mut cursor = Cursor::new(entry.samples);
        let mut series = crate::promql::engine::context::Series {
            labels: entry.labels,
            ..Default::default()
        };
        for t in evaluator.steps() {
            context.tick()?;
            let Some(sample) = cursor.at(context, moment.reference(t))? else {
                continue;
            };
            if !matches!(sample.value, crate::model::SampleValue::Float(_)) {
                return Err(Error::execution(format!(
                    "this should be an info metric, with float samples: {}",
                    series.labels
                )));
            }
            context.hold(1)?;
            context.read(t, 1);
            series.floats.push((t, sample.timestamp_ms as f64));
        }
        if !series.is_empty() {
            infos.push(series);
        }
    }
    Ok(infos)
}

/// The name of an info metric and the labels that identify its target.
type Signature = (String, Labels);

fn identity(labels: &Labels) -> Labels {
    labels.filter(|name| IDENTIFYING.contains(&name))
}

fn combine(
    evaluator: &Evaluator<'_, '_>,
    matrix: &Matrix,
    infos: &Matrix,
    ignored: &HashSet<Labels>,
    data: &BTreeMap<String, Vec<Matcher>>,
) -> Result<Matrix, Error> {
    let context = evaluator.context;
    let names: BTreeSet<&str> = infos
        .iter()
        .map(|series| metric_name(&series.labels))
        .collect();
    let mut bases = Reader::new(matrix);
    let mut info_values = Reader::new(infos);
    let mut collector = Collector::new();
    for t in evaluator.steps() {
        context.tick()?;
        let mut latest: HashMap<Signature, (i64, &Labels)> = HashMap::new();
        for (at, series) in infos.iter().enumerate() {
            let Some(time) = info_values.value(at, t).and_then(|value| value.float()) else {
                continue;
            };
            let signature = (
                metric_name(&series.labels).to_owned(),
                identity(&series.labels),
            );
            let time = time as i64;
            match latest.get(&signature) {
                Some((other, _)) if *other > time => {}
                Some((other, known)) if *other == time => {
                    return Err(Error::execution(format!(
                        "found duplicate series for info metric: existing {known} @ {other}, new {} @ {time}",
                        series.labels
                    )));
                }
                _ => {
                    latest.insert(signature, (time, &series.labels));
                }
            }
        }
        let mut enriched = Vector::new();
        for (at, series) in matrix.iter().enumerate() {
            let Some(value) = bases.value(at, t) else {
                continue;
            };
            let labels = if ignored.contains(&series.labels) {
                Some(series.labels.clone())
            } else {
                let identity = identity(&series.labels);
                let found = names.iter().filter_map(|name| {
                    let signature = ((*name).to_owned(), identity.clone());
                    latest.get(&signature).map(|(_, labels)| *labels)
                });
                enrich(&series.labels, found, data)?
            };
            if let Some(labels) = labels {
                enriched.push(Sample {
                    labels,
                    value,
                    drop_name: series.drop_name,
                });
            }
        }
        for sample in enriched {
            collector.add(t, sample)?;
        }
    }
    let out = collector.finish();
    context.hold(size(&out))?;
    Ok(out)
}

/// The labels with those of matching info series; `None` when a condition asks for a label that no info
/// series has.
fn enrich<'a>(
    base: &Labels,
    infos: impl Iterator<Item = &'a Labels>,
    data: &BTreeMap<String, Vec<Matcher>>,
) -> Result<Option<Labels>, Error> {
    let mut added = LabelsBuilder::new();
    let mut matched = false;
    for info in infos {
        matched = true;
        for (name, value) in info {
            if name == METRIC_NAME || (!data.is_empty() && !data.contains_key(name)) {
                continue;
            }
            let known = added.get(name);
            if !known.is_empty() && known != value {
                return Err(Error::execution(format!("conflicting label: {name}")));
            }
            if !base.contains(name) {
                added.set(name, value);
            }
        }
    }
    if !matched && !data.values().flatten().all(Matcher::matches_empty) {
        return Ok(None);
    }
    let mut labels = LabelsBuilder::from(base);
    for (name, value) in added.iter() {
        labels.set(name, value);
    }
    Ok(Some(labels.build()))
}

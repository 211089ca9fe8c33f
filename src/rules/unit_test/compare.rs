//! Expected against got: as data, and in promtool's words.

use super::file::{AlertTest, ExprTest};
use crate::model::{FloatHistogram, Labels, SampleValue};
use crate::promql::notation::{SequenceValue, parse_series_line};
use crate::promql::parser::parse_metric;
use crate::rules::Point;
use crate::text::gofmt::float_e;
use crate::text::quote::quote;

/// The tolerance of `fuzzy_compare`: a relative error of 1e-6, as in upstream's script language.
const TOLERANCE: f64 = 1e-6;

/// An alert as tests see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertSeen {
    /// Its labels.
    pub labels: Labels,
    /// Its annotations.
    pub annotations: Labels,
}

/// A sample as tests see it.
#[derive(Debug, Clone)]
pub struct SampleSeen {
    /// Its labels.
    pub labels: Labels,
    /// Its value.
    pub value: ValueSeen,
}

/// A value as it is compared and shown; histograms by their notation, as promtool does.
#[derive(Debug, Clone)]
pub enum ValueSeen {
    /// A number.
    Float(f64),
    /// A histogram in series notation.
    Histogram(String),
}

/// What was expected and what was got, when they differ.
#[derive(Debug, Clone)]
pub enum Difference {
    /// Of a test of alerts; both sides are sorted.
    Alerts {
        /// What should fire.
        expected: Vec<AlertSeen>,
        /// What fires.
        got: Vec<AlertSeen>,
    },
    /// Of a test of an expression; both sides are sorted by labels.
    Samples {
        /// What it should give.
        expected: Vec<SampleSeen>,
        /// What it gives.
        got: Vec<SampleSeen>,
        /// Whether small differences of values are none.
        fuzzy: bool,
    },
}

impl Difference {
    /// What differs, in promtool's words.
    pub(super) fn of_alerts_in_words(&self, group: &str, test: &AlertTest) -> String {
        let Self::Alerts { expected, got } = self else {
            return String::new();
        };
        let name = if group.is_empty() {
            String::new()
        } else {
            format!("    name: {group},\n")
        };
        format!(
            "{name}    alertname: {}, time: {}, \n        exp:{}, \n        got:{}",
            test.alertname,
            test.eval_time,
            indented(&alert_list(expected)),
            indented(&alert_list(got))
        )
    }

    /// What differs, in promtool's words.
    pub(super) fn of_samples_in_words(&self, test: &ExprTest) -> String {
        let Self::Samples { expected, got, .. } = self else {
            return String::new();
        };
        format!(
            "    expr: {}, time: {},\n        exp: {}\n        got: {}",
            quote(&test.expr),
            test.eval_time,
            sample_list(expected),
            sample_list(got)
        )
    }
}

pub(super) fn alerts(test: &AlertTest, mut got: Vec<AlertSeen>) -> Option<Difference> {
    let expected = test.expected.iter().map(|alert| {
        let mut labels = alert.labels.clone();
        // compat: the name is written once, beside the alerts.
        labels.retain(|(name, _)| name != "alertname");
        labels.push(("alertname".to_owned(), test.alertname.clone()));
        AlertSeen {
            labels: labels.into_iter().collect(),
            annotations: alert.annotations.iter().cloned().collect(),
        }
    });
    let mut expected: Vec<AlertSeen> = expected.collect();
    expected.sort();
    got.sort();
    (expected != got).then_some(Difference::Alerts { expected, got })
}

pub(super) fn expression_error(test: &ExprTest, error: &str) -> String {
    format!(
        "    expr: {}, time: {}, err: {error}",
        quote(&test.expr),
        test.eval_time
    )
}

/// Compares samples; an error is one of the expectation itself.
pub(super) fn samples(
    test: &ExprTest,
    got: Vec<Point>,
    fuzzy: bool,
) -> Result<Option<Difference>, String> {
    let mut expected = Vec::new();
    for sample in &test.expected {
        let labels = parse_metric(&sample.labels).map_err(|errors| {
            let error = errors.first().map_or_else(String::new, ToString::to_string);
            expression_error(test, &format!("labels {:?}: {error}", sample.labels))
        })?;
        let value = if sample.histogram.is_empty() {
            ValueSeen::Float(sample.value)
        } else {
            let wrong = || {
                expression_error(
                    test,
                    &format!("histogram {:?} is not one histogram", sample.histogram),
                )
            };
            let (_, values) =
                parse_series_line(&format!("{{}} {}", sample.histogram)).map_err(|_| wrong())?;
            match values.as_slice() {
                [SequenceValue::Histogram(histogram)] => ValueSeen::of(histogram),
                _ => return Err(wrong()),
            }
        };
        expected.push(SampleSeen { labels, value });
    }
    let mut got: Vec<SampleSeen> = got.into_iter().map(SampleSeen::from).collect();
    expected.sort_by(|a, b| a.labels.cmp(&b.labels));
    got.sort_by(|a, b| a.labels.cmp(&b.labels));
    let same = expected.len() == got.len()
        && expected
            .iter()
            .zip(&got)
            .all(|(a, b)| a.labels == b.labels && a.value.same(&b.value, fuzzy));
    Ok((!same).then_some(Difference::Samples {
        expected,
        got,
        fuzzy,
    }))
}

impl From<Point> for SampleSeen {
    fn from(point: Point) -> Self {
        Self {
            value: ValueSeen::from(&point.value),
            labels: point.labels,
        }
    }
}

impl ValueSeen {
    /// compat: empty buckets do not count.
    fn of(histogram: &FloatHistogram) -> Self {
        let mut histogram = histogram.clone();
        histogram.compact();
        Self::Histogram(histogram.notation())
    }

    /// Whether two values count as equal.
    pub fn same(&self, other: &Self, fuzzy: bool) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => same_float(*a, *b, fuzzy),
            (Self::Histogram(a), Self::Histogram(b)) => a == b,
            _ => false,
        }
    }
}

impl From<&SampleValue> for ValueSeen {
    fn from(value: &SampleValue) -> Self {
        match value {
            SampleValue::Float(v) => Self::Float(*v),
            SampleValue::FloatHistogram(h) => Self::of(h),
            SampleValue::Histogram(h) => Self::of(&h.to_float()),
        }
    }
}

/// As promtool prints it.
impl std::fmt::Display for ValueSeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Float(v) => f.write_str(&float_e(*v).replace('e', "E")),
            Self::Histogram(text) => f.write_str(text),
        }
    }
}

fn same_float(a: f64, b: f64, fuzzy: bool) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    fuzzy && (a - b).abs() / (a.abs() + b.abs()).min(f64::MAX) < TOLERANCE
}

fn sample_list(samples: &[SampleSeen]) -> String {
    if samples.is_empty() {
        return "nil".to_owned();
    }
    let one = |sample: &SampleSeen| format!("{} {}", sample.labels, sample.value);
    samples.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn alert_list(alerts: &[AlertSeen]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let one = |(at, alert): (usize, &AlertSeen)| {
        format!(
            "    {at}:\n      Labels:{}\n      Annotations:{}",
            alert.labels, alert.annotations
        )
    };
    format!(
        "[\n{}\n    ]",
        alerts
            .iter()
            .enumerate()
            .map(one)
            .collect::<Vec<_>>()
            .join(",\n")
    )
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n        ")
}

//! Expected against got, in promtool's words.

use super::file::{AlertTest, ExprTest};
use super::run::GotAlert;
use crate::model::{FloatHistogram, Labels, SampleValue};
use crate::promql::notation::{SequenceValue, parse_series_line};
use crate::promql::parser::parse_metric;
use crate::rules::Point;
use crate::text::gofmt::float_e;

/// The tolerance of `fuzzy_compare`: a relative error of 1e-6, as in upstream's script language.
const TOLERANCE: f64 = 1e-6;

pub(super) fn alerts(group: &str, test: &AlertTest, mut got: Vec<GotAlert>) -> Result<(), String> {
    let expected = test.expected.iter().map(|alert| {
        let mut labels = alert.labels.clone();
        // compat: the name is written once, beside the alerts.
        labels.retain(|(name, _)| name != "alertname");
        labels.push(("alertname".to_owned(), test.alertname.clone()));
        (
            labels.into_iter().collect::<Labels>(),
            alert.annotations.iter().cloned().collect::<Labels>(),
        )
    });
    let mut expected: Vec<GotAlert> = expected.collect();
    expected.sort();
    got.sort();
    if expected == got {
        return Ok(());
    }
    let name = if group.is_empty() {
        String::new()
    } else {
        format!("    name: {group},\n")
    };
    Err(format!(
        "{name}    alertname: {}, time: {}, \n        exp:{}, \n        got:{}",
        test.alertname,
        test.eval_time,
        indented(&alert_list(&expected)),
        indented(&alert_list(&got))
    ))
}

pub(super) fn expression_error(test: &ExprTest, error: &str) -> String {
    format!(
        "    expr: {}, time: {}, err: {error}",
        crate::text::quote::quote(&test.expr),
        test.eval_time
    )
}

pub(super) fn samples(test: &ExprTest, got: Vec<Point>, fuzzy: bool) -> Result<(), String> {
    let mut expected = Vec::new();
    for sample in &test.expected {
        let labels = parse_metric(&sample.labels).map_err(|errors| {
            let error = errors.first().map_or_else(String::new, ToString::to_string);
            expression_error(test, &format!("labels {:?}: {error}", sample.labels))
        })?;
        let value = if sample.histogram.is_empty() {
            Shown::Float(sample.value)
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
                [SequenceValue::Histogram(histogram)] => Shown::of(histogram),
                _ => return Err(wrong()),
            }
        };
        expected.push((labels, value));
    }
    let mut got: Vec<(Labels, Shown)> = got
        .into_iter()
        .map(|point| (point.labels, Shown::from(&point.value)))
        .collect();
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    got.sort_by(|a, b| a.0.cmp(&b.0));
    let same = expected.len() == got.len()
        && expected
            .iter()
            .zip(&got)
            .all(|(a, b)| a.0 == b.0 && a.1.same(&b.1, fuzzy));
    if same {
        return Ok(());
    }
    Err(format!(
        "    expr: {}, time: {},\n        exp: {}\n        got: {}",
        crate::text::quote::quote(&test.expr),
        test.eval_time,
        sample_list(&expected),
        sample_list(&got)
    ))
}

/// A value as it is compared and shown; histograms by their notation, as promtool does.
#[derive(Debug, Clone)]
enum Shown {
    Float(f64),
    Histogram(String),
}

impl Shown {
    /// compat: empty buckets do not count.
    fn of(histogram: &FloatHistogram) -> Self {
        let mut histogram = histogram.clone();
        histogram.compact();
        Self::Histogram(histogram.notation())
    }

    fn same(&self, other: &Self, fuzzy: bool) -> bool {
        match (self, other) {
            (Self::Float(a), Self::Float(b)) => same_float(*a, *b, fuzzy),
            (Self::Histogram(a), Self::Histogram(b)) => a == b,
            _ => false,
        }
    }
}

impl From<&SampleValue> for Shown {
    fn from(value: &SampleValue) -> Self {
        match value {
            SampleValue::Float(v) => Self::Float(*v),
            SampleValue::FloatHistogram(h) => Self::of(h),
            SampleValue::Histogram(h) => Self::of(&h.to_float()),
        }
    }
}

fn same_float(a: f64, b: f64, fuzzy: bool) -> bool {
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    fuzzy && (a - b).abs() / (a.abs() + b.abs()).min(f64::MAX) < TOLERANCE
}

fn sample_list(samples: &[(Labels, Shown)]) -> String {
    if samples.is_empty() {
        return "nil".to_owned();
    }
    let one = |(labels, value): &(Labels, Shown)| match value {
        Shown::Float(v) => format!("{labels} {}", float_e(*v).replace('e', "E")),
        Shown::Histogram(text) => format!("{labels} {text}"),
    };
    samples.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn alert_list(alerts: &[GotAlert]) -> String {
    if alerts.is_empty() {
        return "[]".to_owned();
    }
    let one = |(at, (labels, annotations)): (usize, &GotAlert)| {
        format!("    {at}:\n      Labels:{labels}\n      Annotations:{annotations}")
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

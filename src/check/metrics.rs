//! Lints of a metrics page: the rules of upstream's `promlint`.

use std::collections::BTreeMap;

use super::Finding;
use super::lint::errors;
use crate::exposition::{Entry, Format, Parser, ParserOptions};
use crate::model::{Labels, MetricType};
use crate::text::quote::quote;

/// What is to say on a page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MetricsReport {
    /// Metric and complaint, sorted.
    pub problems: Vec<(String, String)>,
    /// Metric and number of series, the largest first.
    pub cardinality: Vec<(String, usize)>,
}

impl MetricsReport {
    /// The complaints as findings on a file of this name.
    pub fn findings(&self, name: &str) -> Vec<Finding> {
        let texts = self.problems.iter();
        texts
            .map(|(metric, text)| Finding::new(&errors::METRICS, name, format!("{metric} {text}")))
            .collect()
    }
}

/// A family as the page tells of it.
struct Family {
    help: Option<String>,
    metric_type: MetricType,
    /// Label sets of its series.
    series: Vec<Labels>,
}

impl Default for Family {
    fn default() -> Self {
        Self {
            help: None,
            metric_type: MetricType::Unknown,
            series: Vec::new(),
        }
    }
}

/// Checks a page in the classic text form. The error is upstream's text for a page that cannot be read.
pub fn metrics(page: &[u8]) -> Result<MetricsReport, String> {
    let families = read(page)?;
    let mut report = MetricsReport::default();
    for (name, family) in &families {
        if family.series.is_empty() {
            continue;
        }
        let mut complain = |text: String| report.problems.push((name.clone(), text));
        lint(name, family, &mut complain);
        report.cardinality.push((name.clone(), family.series.len()));
    }
    report.problems.sort();
    report.problems.dedup();
    report
        .cardinality
        .sort_by_key(|(_, series)| std::cmp::Reverse(*series));
    Ok(report)
}

fn read(page: &[u8]) -> Result<BTreeMap<String, Family>, String> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut parser = Parser::new(page, Format::PrometheusText, ParserOptions::default());
    loop {
        let entry = parser
            .next()
            .map_err(|error| format!("text format parsing error: {error}"))?;
        match entry {
            None => return Ok(families),
            Some(Entry::Help { family, text }) => {
                families.entry(family.to_owned()).or_default().help = Some(text.into_owned());
            }
            Some(Entry::Type {
                family,
                metric_type,
            }) => {
                families.entry(family.to_owned()).or_default().metric_type = metric_type;
            }
            Some(Entry::Sample { series, .. }) => {
                let labels = series.labels().map_err(|error| error.to_string())?;
                let name = family_of(&families, labels.metric_name().unwrap_or_default());
                let family = families.entry(name).or_default();
                family.series.push(labels);
            }
            Some(_) => {}
        }
    }
}

/// The family of a series: `x_bucket`, `x_sum` and `x_count` belong to a histogram or summary `x`.
fn family_of(families: &BTreeMap<String, Family>, series: &str) -> String {
    let parts = [
        ("_bucket", &[MetricType::Histogram][..]),
        ("_sum", &[MetricType::Histogram, MetricType::Summary]),
        ("_count", &[MetricType::Histogram, MetricType::Summary]),
    ];
    for (suffix, types) in parts {
        if let Some(base) = series.strip_suffix(suffix)
            && families
                .get(base)
                .is_some_and(|family| types.contains(&family.metric_type))
        {
            return base.to_owned();
        }
    }
    series.to_owned()
}

fn lint(name: &str, family: &Family, complain: &mut dyn FnMut(String)) {
    let kind = family.metric_type;
    if family.help.as_deref().unwrap_or_default().is_empty() {
        complain("no help text".to_owned());
    }
    if let Some((unit, base)) = unit_of(name)
        && unit != base
    {
        complain(format!(
            "use base unit {} instead of {}",
            quote(base),
            quote(&unit)
        ));
    }
    let is_total = name.ends_with("_total");
    match kind {
        MetricType::Counter if !is_total => {
            complain("counter metrics should have \"_total\" suffix".to_owned());
        }
        MetricType::Counter | MetricType::Unknown => {}
        _ if is_total => {
            complain("non-counter metrics should not have \"_total\" suffix".to_owned());
        }
        _ => {}
    }
    if kind != MetricType::Unknown {
        lint_reserved(name, family, complain);
        let word = kind.as_str();
        let lower = name.to_ascii_lowercase();
        if lower.contains(&format!("_{word}_")) || lower.ends_with(&format!("_{word}")) {
            complain(format!("metric name should not include type '{word}'"));
        }
    }
    if name.contains(':') {
        complain("metric names should not contain ':'".to_owned());
    }
    if is_camel_case(name) {
        complain("metric names should be written in 'snake_case' not 'camelCase'".to_owned());
    }
    let labels = family.series.iter().flat_map(Labels::iter);
    if labels.into_iter().any(|(label, _)| is_camel_case(label)) {
        complain("label names should be written in 'snake_case' not 'camelCase'".to_owned());
    }
    if has_abbreviated_unit(name) {
        complain("metric names should not contain abbreviated units".to_owned());
    }
}

fn lint_reserved(name: &str, family: &Family, complain: &mut dyn FnMut(String)) {
    let histogram = family.metric_type == MetricType::Histogram;
    let summary = family.metric_type == MetricType::Summary;
    if !histogram && name.ends_with("_bucket") {
        complain("non-histogram metrics should not have \"_bucket\" suffix".to_owned());
    }
    if !histogram && !summary {
        for suffix in ["_count", "_sum"] {
            if name.ends_with(suffix) {
                complain(format!(
                    "non-histogram and non-summary metrics should not have \"{suffix}\" suffix"
                ));
            }
        }
    }
    for (kind, of_kind, label) in [
        ("histogram", histogram, "le"),
        ("summary", summary, "quantile"),
    ] {
        if !of_kind && family.series.iter().any(|labels| labels.contains(label)) {
            complain(format!(
                "non-{kind} metrics should not have \"{label}\" label"
            ));
        }
    }
}

/// A small letter followed by a capital.
fn is_camel_case(name: &str) -> bool {
    name.as_bytes()
        .windows(2)
        .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

fn has_abbreviated_unit(name: &str) -> bool {
    const ABBREVIATIONS: [&str; 14] = [
        "s", "ms", "us", "ns", "sec", "b", "kb", "mb", "gb", "tb", "pb", "m", "h", "d",
    ];
    name.to_ascii_lowercase()
        .split('_')
        .any(|part| ABBREVIATIONS.contains(&part))
}

/// Units and their base units.
const UNITS: [(&str, &str); 24] = [
    ("amperes", "amperes"),
    ("bytes", "bytes"),
    ("celsius", "celsius"),
    ("grams", "grams"),
    ("joules", "joules"),
    ("kelvin", "kelvin"),
    ("meters", "meters"),
    ("metres", "metres"),
    ("moles", "moles"),
    ("seconds", "seconds"),
    ("volts", "volts"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("weeks", "seconds"),
    ("kelvins", "kelvin"),
    ("fahrenheit", "celsius"),
    ("rankine", "celsius"),
    ("inches", "meters"),
    ("yards", "meters"),
    ("miles", "meters"),
    ("bits", "bytes"),
    ("calories", "joules"),
    ("pounds", "grams"),
];

const PREFIXES: [&str; 19] = [
    "", "pico", "nano", "micro", "milli", "centi", "deci", "deca", "hecto", "kilo", "kibi", "mega",
    "mibi", "giga", "gibi", "tera", "tebi", "peta", "pebi",
];

/// The unit in a name, and the base unit that belongs there.
fn unit_of(name: &str) -> Option<(String, &'static str)> {
    for part in name.split('_') {
        for (unit, base) in UNITS {
            let Some(prefix) = part.strip_suffix(unit) else {
                continue;
            };
            if PREFIXES.contains(&prefix) {
                return Some((part.to_owned(), base));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn upstreams_lints_are_found() {
        let page = b"# HELP a_total x\n# TYPE a_total gauge\na_total 1\n# TYPE requests counter\nrequests{fooBar=\"1\"} 2\n# HELP wait_milliseconds x\n# TYPE wait_milliseconds histogram\nwait_milliseconds_bucket{le=\"+Inf\"} 1\nwait_milliseconds_sum 1\nwait_milliseconds_count 1\n";
        let report = metrics(page).unwrap();
        let shown: Vec<String> = report
            .problems
            .iter()
            .map(|(metric, text)| format!("{metric} {text}"))
            .collect();
        assert_eq!(
            shown,
            [
                "a_total non-counter metrics should not have \"_total\" suffix",
                "requests counter metrics should have \"_total\" suffix",
                "requests label names should be written in 'snake_case' not 'camelCase'",
                "requests no help text",
                "wait_milliseconds use base unit \"seconds\" instead of \"milliseconds\"",
            ]
        );
        assert_eq!(report.cardinality[0], ("wait_milliseconds".to_owned(), 3));
        assert!(metrics(b"a{ 1\n").is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_bytes_can_hurt(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = metrics(&bytes);
        }
    }
}

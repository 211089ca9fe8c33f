//! Warnings and infos that accompany an answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ast::PosRange;
use crate::text::gofmt::float_g;
use crate::text::quote::quote;

/// How serious an annotation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The answer is probably not what was meant.
    Warning,
    /// Worth knowing.
    Info,
}

/// One remark about a part of the query.
#[derive(Debug, Clone, PartialEq)]
pub struct Annotation {
    /// How serious it is.
    pub severity: Severity,
    /// Upstream's text without the position, `PromQL warning: ...`.
    pub message: String,
    /// The part of the query.
    pub pos: PosRange,
    forced: Option<Forced>,
}

/// Where classic buckets had to be made monotonic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Forced {
    /// When.
    pub(crate) t_ms: i64,
    /// The last time; equal to `t_ms` until merged.
    pub(crate) last_ms: i64,
    /// The lowest bound that was raised.
    pub(crate) min_bucket: f64,
    /// The highest bound that was raised.
    pub(crate) max_bucket: f64,
    /// The greatest rise.
    pub(crate) max_diff: f64,
    /// How often.
    pub(crate) times: u64,
}

/// Remarks by text; of equal ones the first position stays.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Annotations(BTreeMap<String, Annotation>);

impl Annotations {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, sorted by text.
    pub fn iter(&self) -> impl Iterator<Item = &Annotation> {
        self.0.values()
    }

    /// Takes over those of `other`.
    pub fn merge(&mut self, other: Self) {
        for annotation in other.0.into_values() {
            self.add(annotation);
        }
    }

    /// Warnings and infos as the HTTP API shows them, with their place in `query` (`(line:col)`); an
    /// empty `query` leaves the place out. At most so many of each (0 for all), then how many were left
    /// out.
    pub fn texts(
        &self,
        query: &str,
        max_warnings: usize,
        max_infos: usize,
    ) -> (Vec<String>, Vec<String>) {
        let list = |severity: Severity, max: usize, word: &str| {
            let mut texts: Vec<String> = self
                .iter()
                .filter(|annotation| annotation.severity == severity)
                .map(|annotation| annotation.text(query))
                .collect();
            if max > 0 && texts.len() > max {
                let omitted = texts.len() - max;
                texts.truncate(max);
                texts.push(format!("{omitted} more {word} annotations omitted"));
            }
            texts
        };
        (
            list(Severity::Warning, max_warnings, "warning"),
            list(Severity::Info, max_infos, "info"),
        )
    }

    pub(crate) fn add(&mut self, annotation: Annotation) {
        use std::collections::btree_map::Entry;
        match self.0.entry(annotation.message.clone()) {
            Entry::Vacant(place) => {
                place.insert(annotation);
            }
            Entry::Occupied(mut known) => {
                if let (Some(known), Some(new)) = (&mut known.get_mut().forced, annotation.forced) {
                    known.widen(new);
                }
            }
        }
    }

    pub(crate) fn warn(&mut self, pos: PosRange, text: impl AsRef<str>) {
        self.add(Annotation {
            severity: Severity::Warning,
            message: format!("PromQL warning: {}", text.as_ref()),
            pos,
            forced: None,
        });
    }

    pub(crate) fn info(&mut self, pos: PosRange, text: impl AsRef<str>) {
        self.add(Annotation {
            severity: Severity::Info,
            message: format!("PromQL info: {}", text.as_ref()),
            pos,
            forced: None,
        });
    }
}

impl Annotation {
    /// The text with its place in `query`.
    pub fn text(&self, query: &str) -> String {
        if query.is_empty() {
            return self.message.clone();
        }
        let mut text = self.message.clone();
        if let Some(forced) = &self.forced {
            let time = |ms: i64| {
                jiff::Timestamp::from_second(ms / 1000)
                    .map_or_else(|_| ms.to_string(), |t| t.to_string())
            };
            let _ = write!(
                text,
                ", from buckets {} to {}, with a max diff of {}, over {} samples from {} to {}",
                float_g(forced.min_bucket),
                float_g(forced.max_bucket),
                two_digits(forced.max_diff),
                forced.times,
                time(forced.t_ms),
                time(forced.last_ms),
            );
        }
        if self.pos.start > query.len() {
            text.push_str(" (unknown position)");
        } else {
            let (line, column) = self.pos.line_column(query);
            let _ = write!(text, " ({line}:{column})");
        }
        text
    }
}

impl Forced {
    fn widen(&mut self, other: Self) {
        self.t_ms = self.t_ms.min(other.t_ms);
        self.last_ms = self.last_ms.max(other.last_ms);
        self.min_bucket = self.min_bucket.min(other.min_bucket);
        self.max_bucket = self.max_bucket.max(other.max_bucket);
        self.max_diff = self.max_diff.max(other.max_diff);
        self.times += other.times;
    }
}

/// Go's `%.2g`.
fn two_digits(v: f64) -> String {
    if !v.is_finite() {
        return float_g(v);
    }
    let scientific = format!("{v:.1e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..2).contains(&exponent) {
        // Rounding to two digits first keeps the shortest form of the rounded number.
        float_g(scientific.parse().unwrap_or(v))
    } else {
        let mantissa = mantissa.strip_suffix(".0").unwrap_or(mantissa);
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    }
}

/// The remarks that upstream knows.
impl Annotations {
    pub(crate) fn invalid_quantile(&mut self, q: f64, pos: PosRange) {
        self.warn(
            pos,
            format!(
                "quantile value should be between 0 and 1, got {}",
                float_g(q)
            ),
        );
    }

    pub(crate) fn invalid_ratio(&mut self, ratio: f64, cap: f64, pos: PosRange) {
        self.warn(
            pos,
            format!(
                "ratio value should be between -1 and 1, got {}, capping to {}",
                float_g(ratio),
                float_g(cap)
            ),
        );
    }

    pub(crate) fn bad_bucket_label(&mut self, metric: &str, label: &str, pos: PosRange) {
        let text = format!(
            "bucket label \"le\" is missing or has a malformed value of {}",
            quote(label)
        );
        self.warn(pos, for_metric(text, metric));
    }

    pub(crate) fn mixed_floats_histograms(&mut self, metric: &str, pos: PosRange) {
        self.warn(
            pos,
            format!(
                "encountered a mix of histograms and floats for metric name {}",
                quote(metric)
            ),
        );
    }

    pub(crate) fn mixed_in_aggregation(&mut self, pos: PosRange) {
        self.warn(
            pos,
            "encountered a mix of histograms and floats for aggregation",
        );
    }

    pub(crate) fn mixed_classic_native(&mut self, metric: &str, pos: PosRange) {
        let text = "vector contains a mix of classic and native histograms".to_owned();
        self.warn(pos, for_metric(text, metric));
    }

    pub(crate) fn not_a_counter(&mut self, metric: &str, pos: PosRange) {
        self.warn(
            pos,
            format!(
                "this native histogram metric is not a counter: {}",
                quote(metric)
            ),
        );
    }

    pub(crate) fn not_a_gauge(&mut self, metric: &str, pos: PosRange) {
        self.warn(
            pos,
            format!(
                "this native histogram metric is not a gauge: {}",
                quote(metric)
            ),
        );
    }

    pub(crate) fn mixed_exponential_custom(&mut self, metric: &str, pos: PosRange) {
        self.warn(
            pos,
            format!(
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric name {}",
                quote(metric)
            ),
        );
    }

    pub(crate) fn incompatible_layout(&mut self, operator: &str, pos: PosRange) {
        self.warn(
            pos,
            format!("incompatible bucket layout encountered for binary operator {operator}"),
        );
    }

    pub(crate) fn start_times_overlap(&mut self, metric: &str, pos: PosRange) {
        self.warn(
            pos,
            format!(
                "sample has start time that overlaps with previous sample timestamp for metric {}",
                quote(metric)
            ),
        );
    }

    pub(crate) fn sort_in_range_query(&mut self, pos: PosRange) {
        self.warn(
            pos,
            "sort is ineffective for range queries since results are always ordered by labels",
        );
    }

    /// `operation` is `addition`, `subtraction` or `aggregation`.
    pub(crate) fn resets_collide(&mut self, operation: &str, pos: PosRange) {
        self.warn(
            pos,
            format!("conflicting counter resets during histogram {operation}"),
        );
    }

    pub(crate) fn bounds_reconciled(&mut self, operation: &str, pos: PosRange) {
        self.info(
            pos,
            format!("mismatched custom buckets were reconciled during {operation}"),
        );
    }

    pub(crate) fn maybe_no_counter(&mut self, metric: &str, pos: PosRange) {
        self.info(
            pos,
            format!(
                "metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {}",
                quote(metric)
            ),
        );
    }

    pub(crate) fn maybe_no_counter_by_type(&mut self, metric: &str, kind: &str, pos: PosRange) {
        self.info(
            pos,
            format!(
                "metric might not be a counter, __type__ label is not set to \"counter\" or \"histogram\", got {}: {}",
                quote(kind),
                quote(metric)
            ),
        );
    }

    pub(crate) fn forced_monotonicity(&mut self, metric: &str, forced: Forced, pos: PosRange) {
        let text = "PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)";
        self.add(Annotation {
            severity: Severity::Info,
            message: for_metric(text.to_owned(), metric),
            pos,
            forced: Some(forced),
        });
    }

    pub(crate) fn incompatible_types(&mut self, lhs: &str, op: &str, rhs: &str, pos: PosRange) {
        self.info(
            pos,
            format!(
                "incompatible sample types encountered for binary operator {}: {lhs} {op} {rhs}",
                quote(op)
            ),
        );
    }

    pub(crate) fn ignored_in_aggregation(&mut self, aggregation: &str, pos: PosRange) {
        self.info(
            pos,
            format!("ignored histogram in {aggregation} aggregation"),
        );
    }

    pub(crate) fn ignored_in_mixed_range(&mut self, metric: &str, pos: PosRange) {
        self.info(
            pos,
            format!(
                "ignored histograms in a range containing both floats and histograms for metric name {}",
                quote(metric)
            ),
        );
    }

    pub(crate) fn quantile_is_nan(&mut self, metric: &str, pos: PosRange) {
        let text = "input to histogram_quantile has NaN observations, result is NaN";
        self.info(pos, for_metric(text.to_owned(), metric));
    }

    pub(crate) fn quantile_is_skewed(&mut self, metric: &str, pos: PosRange) {
        let text = "input to histogram_quantile has NaN observations, result is skewed higher";
        self.info(pos, for_metric(text.to_owned(), metric));
    }

    pub(crate) fn fraction_without_nan(&mut self, metric: &str, pos: PosRange) {
        let text = "input to histogram_fraction has NaN observations, which are excluded from all fractions";
        self.info(pos, for_metric(text.to_owned(), metric));
    }
}

fn for_metric(text: String, metric: &str) -> String {
    if metric.is_empty() {
        text
    } else {
        format!("{text} for metric name {}", quote(metric))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_name_line_and_column() {
        let mut all = Annotations::default();
        all.invalid_quantile(1.5, PosRange::new(4, 5));
        all.invalid_quantile(1.5, PosRange::new(6, 7));
        all.maybe_no_counter("up", PosRange::new(0, 1));
        let (warnings, infos) = all.texts("a\nb c", 10, 10);
        assert_eq!(
            warnings,
            ["PromQL warning: quantile value should be between 0 and 1, got 1.5 (2:3)"]
        );
        assert_eq!(infos.len(), 1);
    }

    #[test]
    fn forced_monotonicity_accumulates() {
        let mut all = Annotations::default();
        for t in [60_000, 120_000] {
            let forced = Forced {
                t_ms: t,
                last_ms: t,
                min_bucket: 0.5,
                max_bucket: 2.0,
                max_diff: 12.345,
                times: 1,
            };
            all.forced_monotonicity("", forced, PosRange::new(0, 1));
        }
        let (_, infos) = all.texts("x", 0, 0);
        assert!(
            infos[0].ends_with(
                ", from buckets 0.5 to 2, with a max diff of 12, over 2 samples from 1970-01-01T00:01:00Z to 1970-01-01T00:02:00Z (1:1)"
            ),
            "{infos:?}"
        );
    }

    #[test]
    fn two_digits_are_gos() {
        for (v, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (123.0, "1.2e+02"),
            (0.00123, "0.0012"),
            (99.9, "1e+02"),
        ] {
            assert_eq!(two_digits(v), text);
        }
    }
}

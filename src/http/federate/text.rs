use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::model::labels::{is_legacy_metric_name, is_legacy_name};
use crate::model::{FloatHistogram, Labels, METRIC_NAME, Sample, SampleValue};
use crate::text::gofmt;

/// Writes samples in the text format, families together.
pub(super) struct Page {
    /// compat: attached where a series lacks them; `instance` is attached empty.
    external: Labels,
    with_empty_instance: bool,
    allow_utf8: bool,
    out: String,
}

impl Page {
    pub(super) fn new(external: &Labels, allow_utf8: bool) -> Self {
        Self {
            external: external.clone(),
            with_empty_instance: !external.contains("instance"),
            allow_utf8,
            out: String::new(),
        }
    }

    /// The page of these samples. Series without a name are left out.
    pub(super) fn write(mut self, samples: BTreeMap<Labels, Sample>) -> String {
        let mut named: Vec<(String, Labels, Sample)> = samples
            .into_iter()
            .filter_map(|(labels, sample)| {
                let name = labels.get(METRIC_NAME)?.to_owned();
                Some((name, labels, sample))
            })
            .collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        let mut family = None;
        for (name, labels, sample) in named {
            let kind = match &sample.value {
                SampleValue::Float(_) => "untyped",
                SampleValue::Histogram(_) | SampleValue::FloatHistogram(_) => "histogram",
            };
            if family.as_ref() != Some(&(name.clone(), kind)) {
                let _ = writeln!(self.out, "# TYPE {} {kind}", self.name(&name));
                family = Some((name.clone(), kind));
            }
            let pairs = self.pairs(&labels);
            let ms = sample.timestamp_ms;
            match &sample.value {
                SampleValue::Float(v) => self.line(&name, "", &pairs, None, *v, ms),
                SampleValue::Histogram(h) => self.histogram(&name, &pairs, &h.to_float(), ms),
                SampleValue::FloatHistogram(h) => self.histogram(&name, &pairs, h, ms),
            }
        }
        self.out
    }

    /// compat: the text format has no native buckets; what remains is the count and the sum.
    fn histogram(&mut self, name: &str, pairs: &[(String, String)], h: &FloatHistogram, ms: i64) {
        self.line(name, "_bucket", pairs, Some("+Inf"), h.count, ms);
        self.line(name, "_sum", pairs, None, h.sum, ms);
        self.line(name, "_count", pairs, None, h.count, ms);
    }

    /// The labels of a line, names as they are written: the series' own, then the attached ones.
    fn pairs(&self, labels: &Labels) -> Vec<(String, String)> {
        let own = labels.iter().filter(|(name, _)| *name != METRIC_NAME);
        let mut attached: Vec<(&str, &str)> = self
            .external
            .iter()
            .chain(self.with_empty_instance.then_some(("instance", "")))
            .filter(|(name, _)| !labels.contains(name))
            .collect();
        attached.sort_unstable();
        own.chain(attached)
            .map(|(name, value)| {
                let name = if is_legacy_name(name) {
                    name.to_owned()
                } else if self.allow_utf8 {
                    format!("\"{}\"", escaped(name))
                } else {
                    underscored(name)
                };
                (name, escaped(value))
            })
            .collect()
    }

    /// A metric's name as it stands after `# TYPE`.
    fn name(&self, name: &str) -> String {
        if is_legacy_metric_name(name) {
            name.to_owned()
        } else if self.allow_utf8 {
            format!("\"{}\"", escaped(name))
        } else {
            underscored(name)
        }
    }

    fn line(
        &mut self,
        name: &str,
        suffix: &str,
        pairs: &[(String, String)],
        bound: Option<&str>,
        value: f64,
        ms: i64,
    ) {
        let shown = self.name(&format!("{name}{suffix}"));
        let quoted = shown.starts_with('"');
        let mut parts: Vec<String> = Vec::with_capacity(pairs.len() + 2);
        if quoted {
            parts.push(shown);
        } else {
            self.out.push_str(&shown);
        }
        parts.extend(
            pairs
                .iter()
                .map(|(name, value)| format!("{name}=\"{value}\"")),
        );
        parts.extend(bound.map(|bound| format!("le=\"{bound}\"")));
        if !parts.is_empty() {
            let _ = write!(self.out, "{{{}}}", parts.join(","));
        }
        let _ = writeln!(self.out, " {} {ms}", gofmt::float_g(value));
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\")
        .replace('\n', r"\n")
        .replace('"', "\\\"")
}

/// compat: every character that a classic name cannot have becomes an underscore.
fn underscored(name: &str) -> String {
    name.chars()
        .enumerate()
        .map(|(at, c)| {
            let fits =
                c.is_ascii_alphabetic() || c == '_' || c == ':' || c.is_ascii_digit() && at > 0;
            if fits { c } else { '_' }
        })
        .collect()
}

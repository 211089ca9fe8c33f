use std::collections::BTreeMap;

use serde_json::Value;

/// Labels by name.
pub(super) type LabelSet = BTreeMap<String, String>;

/// A query's answer as rows: instants have one point per series, ranges many.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) series: Vec<Series>,
}

#[derive(Debug)]
pub(super) struct Series {
    pub(super) labels: LabelSet,
    /// Seconds and values as text.
    pub(super) points: Vec<(f64, String)>,
}

impl Answer {
    /// Reads `data` of the envelope.
    pub(super) fn read(data: &Value) -> Option<Self> {
        let result = &data["result"];
        let series = match data["resultType"].as_str()? {
            "scalar" | "string" => vec![Series {
                labels: LabelSet::new(),
                points: point(result).into_iter().collect(),
            }],
            _ => result
                .as_array()?
                .iter()
                .map(|entry| {
                    let one = [&entry["value"], &entry["histogram"]];
                    let many = [&entry["values"], &entry["histograms"]];
                    let many = many.into_iter().filter_map(Value::as_array).flatten();
                    let mut points: Vec<_> =
                        one.into_iter().chain(many).filter_map(point).collect();
                    points.sort_by(|a, b| a.0.total_cmp(&b.0));
                    Series {
                        labels: label_set(&entry["metric"]),
                        points,
                    }
                })
                .collect(),
        };
        Some(Self { series })
    }
}

fn point(pair: &Value) -> Option<(f64, String)> {
    let value = match pair.get(1)? {
        Value::String(text) => text.clone(),
        histogram @ Value::Object(_) => format!(
            "{{count:{}, sum:{}}}",
            histogram["count"].as_str().unwrap_or("?"),
            histogram["sum"].as_str().unwrap_or("?")
        ),
        other => other.to_string(),
    };
    Some((pair.get(0)?.as_f64()?, value))
}

fn label_set(value: &Value) -> LabelSet {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Reads the list that `/api/v1/series` gives.
pub(super) fn label_sets(data: &Value) -> Vec<LabelSet> {
    data.as_array()
        .into_iter()
        .flatten()
        .map(label_set)
        .collect()
}

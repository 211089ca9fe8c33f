use std::fmt::Write as _;
use std::sync::Arc;

use crate::model::Labels;
use crate::template::function::{Function, Kind, Type};
use crate::template::gotime::Time;
use crate::template::json;
use crate::template::value::{List, ListType, Map, MapType, Object, Value};
use crate::time::WallTime;

/// What notification templates see, and what webhooks are sent: upstream's `template.Data`.
#[derive(Debug, Clone)]
pub struct Data {
    /// The receiver's name, quoted as a regular expression.
    pub receiver: String,
    /// `firing` when any alert fires, else `resolved`.
    pub status: String,
    /// The alerts.
    pub alerts: Vec<AlertData>,
    /// Why the notification is sent.
    pub notification_reason: String,
    /// The labels the alerts are grouped by.
    pub group_labels: Labels,
    /// The labels all alerts share.
    pub common_labels: Labels,
    /// The annotations all alerts share.
    pub common_annotations: Labels,
    /// The labels of the route, which are templates themselves.
    pub route_labels: Labels,
    /// The address of the user interface.
    pub external_url: String,
}

/// One alert in [`Data`].
#[derive(Debug, Clone)]
pub struct AlertData {
    /// `firing` or `resolved`.
    pub status: String,
    /// Its labels; `None` where test data name none.
    pub labels: Option<Labels>,
    /// Its annotations; `None` where test data name none.
    pub annotations: Option<Labels>,
    /// When it began.
    pub starts_at: WallTime,
    /// When it ended; zero while it fires.
    pub ends_at: WallTime,
    /// Where it came from.
    pub generator_url: String,
    /// Its fingerprint, as sixteen hexadecimal digits.
    pub fingerprint: String,
}

impl Data {
    /// The data as a template's dot.
    pub fn to_value(&self) -> Value {
        Value::Object(Arc::new(DataObject(self.clone())))
    }

    /// The alerts as `.Alerts`.
    fn alerts(&self) -> Value {
        let alerts = self.alerts.iter().map(AlertData::to_value).collect();
        Value::List(List::new(&ALERTS, alerts))
    }
}

impl Data {
    /// What webhooks are sent: [`crate::template::to_json`] of the data, however many alerts there are.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(512 + self.alerts.len() * 1024);
        text_field(&mut out, '{', "receiver", &self.receiver);
        text_field(&mut out, ',', "status", &self.status);
        out.push_str(",\"alerts\":[");
        for (i, alert) in self.alerts.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            alert.write_json(&mut out);
        }
        out.push(']');
        // compat: left out when empty.
        if !self.notification_reason.is_empty() {
            text_field(
                &mut out,
                ',',
                "notification_reason",
                &self.notification_reason,
            );
        }
        labels_field(&mut out, "groupLabels", Some(&self.group_labels));
        labels_field(&mut out, "commonLabels", Some(&self.common_labels));
        labels_field(
            &mut out,
            "commonAnnotations",
            Some(&self.common_annotations),
        );
        if !self.route_labels.is_empty() {
            labels_field(&mut out, "routeLabels", Some(&self.route_labels));
        }
        text_field(&mut out, ',', "externalURL", &self.external_url);
        out.push('}');
        out
    }
}

fn text_field(out: &mut String, before: char, name: &str, value: &str) {
    out.push(before);
    let _ = write!(out, "\"{name}\":");
    json::string(out, value);
}

fn labels_field(out: &mut String, name: &str, labels: Option<&Labels>) {
    let _ = write!(out, ",\"{name}\":");
    let Some(labels) = labels else {
        out.push_str("null");
        return;
    };
    out.push('{');
    for (i, (name, value)) in labels.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        json::string(out, name);
        out.push(':');
        json::string(out, value);
    }
    out.push('}');
}

impl AlertData {
    fn write_json(&self, out: &mut String) {
        text_field(out, '{', "status", &self.status);
        labels_field(out, "labels", self.labels.as_ref());
        labels_field(out, "annotations", self.annotations.as_ref());
        let _ = write!(
            out,
            ",\"startsAt\":\"{}\",\"endsAt\":\"{}\"",
            self.starts_at, self.ends_at
        );
        text_field(out, ',', "generatorURL", &self.generator_url);
        text_field(out, ',', "fingerprint", &self.fingerprint);
        out.push('}');
    }

    /// The alert as an element of `.Alerts`.
    pub fn to_value(&self) -> Value {
        Value::Object(Arc::new(AlertObject(self.clone())))
    }
}

/// A set of labels or annotations as upstream's `KV`.
pub fn key_values(labels: &Labels) -> Value {
    Value::Map(Map::texts(&KV, labels.iter()))
}

fn optional_key_values(labels: Option<&Labels>) -> Value {
    labels.map_or_else(|| Value::Map(Map::nil(&KV)), key_values)
}

#[derive(Debug)]
struct DataObject(Data);

impl DataObject {
    fn values(&self) -> [Value; 9] {
        let data = &self.0;
        [
            Value::from(data.receiver.as_str()),
            Value::from(data.status.as_str()),
            data.alerts(),
            Value::from(data.notification_reason.as_str()),
            key_values(&data.group_labels),
            key_values(&data.common_labels),
            key_values(&data.common_annotations),
            key_values(&data.route_labels),
            Value::from(data.external_url.as_str()),
        ]
    }
}

impl Object for DataObject {
    fn type_name(&self) -> &'static str {
        "*template.Data"
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        const NAMES: [&str; 9] = [
            "Receiver",
            "Status",
            "Alerts",
            "NotificationReason",
            "GroupLabels",
            "CommonLabels",
            "CommonAnnotations",
            "RouteLabels",
            "ExternalURL",
        ];
        NAMES.into_iter().zip(self.values()).collect()
    }

    fn field(&self, name: &str) -> Option<Value> {
        let data = &self.0;
        Some(match name {
            "Receiver" => Value::from(data.receiver.as_str()),
            "Status" => Value::from(data.status.as_str()),
            "Alerts" => data.alerts(),
            "NotificationReason" => Value::from(data.notification_reason.as_str()),
            "GroupLabels" => key_values(&data.group_labels),
            "CommonLabels" => key_values(&data.common_labels),
            "CommonAnnotations" => key_values(&data.common_annotations),
            "RouteLabels" => key_values(&data.route_labels),
            "ExternalURL" => Value::from(data.external_url.as_str()),
            _ => return None,
        })
    }

    fn json_fields(&self) -> Vec<(&'static str, Value)> {
        const KEYS: [&str; 9] = [
            "receiver",
            "status",
            "alerts",
            "notification_reason",
            "groupLabels",
            "commonLabels",
            "commonAnnotations",
            "routeLabels",
            "externalURL",
        ];
        KEYS.into_iter()
            .zip(self.values())
            .filter(|(key, value)| match *key {
                // compat: left out when empty.
                "notification_reason" | "routeLabels" => value.truth(),
                _ => true,
            })
            .collect()
    }
}

#[derive(Debug)]
struct AlertObject(AlertData);

impl AlertObject {
    fn values(&self) -> [Value; 7] {
        let alert = &self.0;
        [
            Value::from(alert.status.as_str()),
            optional_key_values(alert.labels.as_ref()),
            optional_key_values(alert.annotations.as_ref()),
            Value::Time(Time::from(alert.starts_at)),
            Value::Time(Time::from(alert.ends_at)),
            Value::from(alert.generator_url.as_str()),
            Value::from(alert.fingerprint.as_str()),
        ]
    }
}

impl Object for AlertObject {
    fn type_name(&self) -> &'static str {
        "template.Alert"
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        const NAMES: [&str; 7] = [
            "Status",
            "Labels",
            "Annotations",
            "StartsAt",
            "EndsAt",
            "GeneratorURL",
            "Fingerprint",
        ];
        NAMES.into_iter().zip(self.values()).collect()
    }

    fn json_fields(&self) -> Vec<(&'static str, Value)> {
        const KEYS: [&str; 7] = [
            "status",
            "labels",
            "annotations",
            "startsAt",
            "endsAt",
            "generatorURL",
            "fingerprint",
        ];
        KEYS.into_iter().zip(self.values()).collect()
    }
}

const ALERT: Type = Type::new("template.Alert", Kind::Struct);
const PAIR: Type = Type::new("template.Pair", Kind::Struct);

static ALERTS: ListType = ListType {
    name: "template.Alerts",
    element: ALERT,
    method: alerts_method,
    text: None,
};
static SOME_ALERTS: ListType = ListType::plain("[]template.Alert", ALERT);
static PAIRS: ListType = ListType {
    name: "template.Pairs",
    element: PAIR,
    method: pairs_method,
    text: Some(pairs_text),
};
static KV: MapType = MapType {
    name: "template.KV",
    element: Type::STRING,
    method: kv_method,
    text: Some(kv_text),
};

fn alerts_method(list: &List, name: &str) -> Option<Function<'static>> {
    let wanted = match name {
        "Firing" => "firing",
        "Resolved" => "resolved",
        _ => return None,
    };
    let items = list.items.clone();
    Some(Function::new(&[], move |_| {
        let kept = items
            .iter()
            .filter(|item| match item {
                Value::Object(alert) => {
                    alert.field("Status").and_then(|s| s.as_text()).as_deref() == Some(wanted)
                }
                _ => false,
            })
            .cloned()
            .collect();
        Ok(Value::List(List::new(&SOME_ALERTS, kept)))
    }))
}

/// A name and its value.
#[derive(Debug)]
struct Pair {
    name: Arc<str>,
    value: Arc<str>,
}

impl Object for Pair {
    fn type_name(&self) -> &'static str {
        PAIR.name
    }

    fn fields(&self) -> Vec<(&'static str, Value)> {
        vec![
            ("Name", Value::from(Arc::clone(&self.name))),
            ("Value", Value::from(Arc::clone(&self.value))),
        ]
    }
}

/// The pairs of a map, the alert's name first, then sorted by name.
fn sorted(map: &Map) -> Vec<(Arc<str>, Arc<str>)> {
    let text = |value: &Value| value.as_text().unwrap_or_else(|| Arc::from(""));
    let mut pairs: Vec<_> = map
        .iter()
        .map(|(name, value)| (Arc::clone(name), text(value)))
        .collect();
    pairs.sort_by_key(|(name, _)| &**name != "alertname");
    pairs
}

fn kv_text(map: &Map) -> String {
    join(sorted(map))
}

fn join(pairs: Vec<(Arc<str>, Arc<str>)>) -> String {
    let parts: Vec<String> = pairs
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parts.join(", ")
}

fn kv_method(map: &Map, name: &str) -> Option<Function<'static>> {
    let pairs = sorted(map);
    Some(match name {
        "SortedPairs" => Function::new(&[], move |_| {
            let items = pairs
                .iter()
                .map(|(name, value)| {
                    Value::Object(Arc::new(Pair {
                        name: Arc::clone(name),
                        value: Arc::clone(value),
                    }))
                })
                .collect();
            Ok(Value::List(List::new(&PAIRS, items)))
        }),
        "Names" => Function::new(&[], move |_| {
            Ok(Value::List(List::strings(
                pairs.iter().map(|(name, _)| name),
            )))
        }),
        "Values" => Function::new(&[], move |_| {
            Ok(Value::List(List::strings(
                pairs.iter().map(|(_, value)| value),
            )))
        }),
        "Remove" => {
            let map = map.clone();
            Function::new(&[Type::STRINGS], move |args| {
                let removed: Vec<Arc<str>> = match args.first() {
                    Some(Value::List(list)) => {
                        list.items.iter().filter_map(Value::as_text).collect()
                    }
                    _ => Vec::new(),
                };
                let entries = map
                    .iter()
                    .filter(|(name, _)| !removed.contains(name))
                    .map(|(name, value)| (Arc::clone(name), value.clone()))
                    .collect();
                Ok(Value::Map(Map::new(&KV, entries)))
            })
        }
        "String" => Function::new(&[], move |_| Ok(Value::from(join(pairs.clone())))),
        _ => return None,
    })
}

/// The parts of a list of pairs.
fn pair_parts(list: &List) -> Vec<(Arc<str>, Arc<str>)> {
    let part = |pair: &Arc<dyn Object>, name: &str| {
        pair.field(name)
            .and_then(|value| value.as_text())
            .unwrap_or_else(|| Arc::from(""))
    };
    list.items
        .iter()
        .filter_map(|item| match item {
            Value::Object(pair) => Some((part(pair, "Name"), part(pair, "Value"))),
            _ => None,
        })
        .collect()
}

fn pairs_text(list: &List) -> String {
    join(pair_parts(list))
}

fn pairs_method(list: &List, name: &str) -> Option<Function<'static>> {
    let parts = pair_parts(list);
    Some(match name {
        "Names" => Function::new(&[], move |_| {
            Ok(Value::List(List::strings(
                parts.iter().map(|(name, _)| name),
            )))
        }),
        "Values" => Function::new(&[], move |_| {
            Ok(Value::List(List::strings(
                parts.iter().map(|(_, value)| value),
            )))
        }),
        "String" => Function::new(&[], move |_| Ok(Value::from(join(parts.clone())))),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_of_webhooks_is_that_of_the_values() {
        let labels = Labels::from_pairs([("alertname", "A<b>"), ("ü", "\u{2028}\"\\\n\t\u{1}")]);
        let alert = |starts_at: WallTime, ends_at| AlertData {
            status: "firing".to_owned(),
            labels: Some(labels.clone()),
            annotations: None,
            starts_at,
            ends_at,
            generator_url: "http://x/?a=1&b=2".to_owned(),
            fingerprint: "00ff".to_owned(),
        };
        let at = WallTime::from_ns(1_700_000_000_120_000_000);
        let mut data = Data {
            receiver: "team\\.x".to_owned(),
            status: "firing".to_owned(),
            alerts: vec![alert(at, WallTime::ZERO), alert(WallTime::from_ms(-1), at)],
            notification_reason: "first notification".to_owned(),
            group_labels: labels.clone(),
            common_labels: Labels::empty(),
            common_annotations: labels.clone(),
            route_labels: labels.clone(),
            external_url: "http://us".to_owned(),
        };
        let values = |data: &Data| crate::template::to_json(&data.to_value()).unwrap();
        assert_eq!(data.to_json(), values(&data));
        data.alerts.clear();
        data.notification_reason.clear();
        data.route_labels = Labels::empty();
        assert_eq!(data.to_json(), values(&data));
    }
}

//! Alerts and silences as amtool prints them.

use serde_json::Value;

use super::settings::{Output, Settings};
use super::{Table, time};
use crate::alerting::{Matcher, Matchers};
use crate::cli::output;
use crate::model::MatchOp;
use crate::template::gotime::Time;
use crate::template::write_json_string;
use crate::time::WallTime;

/// Shows alerts of the API's form.
pub(in crate::cli) fn alerts(settings: &Settings, mut alerts: Vec<Value>) {
    if settings.output == Output::Json {
        output::line(&json(&Value::Array(alerts)));
        return;
    }
    alerts.sort_by_key(|alert| instant(&alert["startsAt"]));
    let mut table = Table::default();
    if settings.output == Output::Simple {
        table.row(["Alertname", "Starts At", "Summary", "State"]);
        for alert in &alerts {
            table.row([
                text(&alert["labels"]["alertname"]),
                &date(settings, &alert["startsAt"]),
                text(&alert["annotations"]["summary"]),
                text(&alert["status"]["state"]),
            ]);
        }
    } else {
        table.row([
            "Labels",
            "Annotations",
            "Starts At",
            "Ends At",
            "Generator URL",
            "State",
        ]);
        for alert in &alerts {
            table.row([
                &label_set(&alert["labels"]),
                &label_set(&alert["annotations"]),
                &date(settings, &alert["startsAt"]),
                &date(settings, &alert["endsAt"]),
                text(&alert["generatorURL"]),
                text(&alert["status"]["state"]),
            ]);
        }
    }
    output::raw(table.to_text().as_bytes());
}

/// Shows silences of the API's form.
pub(in crate::cli) fn silences(settings: &Settings, mut silences: Vec<Value>) {
    if settings.output == Output::Json {
        output::line(&json(&Value::Array(silences)));
        return;
    }
    silences.sort_by_key(|silence| instant(&silence["endsAt"]));
    let mut table = Table::default();
    if settings.output == Output::Simple {
        table.row(["ID", "Matchers", "Ends At", "Created By", "Comment"]);
        for silence in &silences {
            let matchers: Vec<String> = matchers(silence).iter().map(ToString::to_string).collect();
            table.row([
                text(&silence["id"]),
                &matchers.join(" "),
                &date(settings, &silence["endsAt"]),
                text(&silence["createdBy"]),
                text(&silence["comment"]),
            ]);
        }
    } else {
        table.row([
            "ID",
            "Matchers",
            "Starts At",
            "Ends At",
            "Updated At",
            "Created By",
            "Comment",
        ]);
        for silence in &silences {
            table.row([
                text(&silence["id"]),
                &Matchers(matchers(silence)).to_string(),
                &date(settings, &silence["startsAt"]),
                &date(settings, &silence["endsAt"]),
                &date(settings, &silence["updatedAt"]),
                text(&silence["createdBy"]),
                text(&silence["comment"]),
            ]);
        }
    }
    output::raw(table.to_text().as_bytes());
}

/// JSON as Go writes it: without spaces, `<`, `>` and `&` escaped.
pub(in crate::cli) fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(&mut out, value);
    out
}

/// The depth is that of what `serde_json` read, which it bounds.
fn write_json(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => write_json_string(out, text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(out, item);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (i, (name, field)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json_string(out, name);
                out.push(':');
                write_json(out, field);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A time of the API in the wanted layout; empty for none.
pub(in crate::cli) fn date(settings: &Settings, value: &Value) -> String {
    time(text(value)).map_or_else(
        |_| text(value).to_owned(),
        |time| Time::from(time).format(&settings.date_format),
    )
}

/// For sorting; what cannot be read comes first.
fn instant(value: &Value) -> Option<WallTime> {
    WallTime::parse_rfc3339(text(value))
}

/// `a="b" c="d"`, sorted.
pub(in crate::cli) fn label_set(set: &Value) -> String {
    let mut parts: Vec<String> = set
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| format!("{name}=\"{}\"", text(value)))
        .collect();
    parts.sort_unstable();
    parts.join(" ")
}

/// The matchers of a silence; a pattern that does not compile is shown as text.
fn matchers(silence: &Value) -> Vec<Matcher> {
    let items = silence["matchers"].as_array();
    items
        .into_iter()
        .flatten()
        .filter_map(|item| {
            let equal = item["isEqual"].as_bool().unwrap_or(true);
            let op = match (equal, item["isRegex"].as_bool().unwrap_or(false)) {
                (true, false) => MatchOp::Equal,
                (false, false) => MatchOp::NotEqual,
                (true, true) => MatchOp::Regex,
                (false, true) => MatchOp::NotRegex,
            };
            let (name, value) = (text(&item["name"]), text(&item["value"]));
            Matcher::new(op, name, value).ok()
        })
        .collect()
}

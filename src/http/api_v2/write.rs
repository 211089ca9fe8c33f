//! JSON as Go writes it: `<`, `>` and `&` escaped, times with milliseconds, fields in upstream's order.

use std::fmt::Write as _;

use crate::alerting::Silence;
use crate::alerting::router::{AlertView, GroupView};
use crate::model::Labels;
use crate::time::WallTime;

/// Appends a JSON string.
pub(super) fn text(out: &mut String, text: &str) {
    crate::template::write_json_string(out, text);
}

fn field(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "\"{name}\":");
    text(out, value);
}

/// Appends a time as `strfmt.DateTime` does: UTC, three digits after the second.
pub(super) fn time(out: &mut String, time: WallTime) {
    if time.is_zero() {
        out.push_str("\"0001-01-01T00:00:00.000Z\"");
        return;
    }
    match jiff::Timestamp::from_millisecond(time.as_ms()) {
        Ok(t) => {
            let _ = write!(out, "\"{t:.3}\"");
        }
        Err(_) => out.push_str("\"0001-01-01T00:00:00.000Z\""),
    }
}

fn time_field(out: &mut String, name: &str, value: WallTime) {
    let _ = write!(out, "\"{name}\":");
    time(out, value);
}

/// Appends a label set.
pub(super) fn labels(out: &mut String, labels: &Labels) {
    pairs(out, labels.iter());
}

/// Appends an object of texts.
pub(super) fn pairs<'a>(out: &mut String, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    list(out, pairs, |out, (name, value)| {
        text(out, name);
        out.push(':');
        text(out, value);
    });
    out.push('}');
}

/// Appends items with commas between them.
pub(super) fn list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(out, item);
    }
}

/// Appends a list of texts.
pub(super) fn texts<T: AsRef<str>>(out: &mut String, items: &[T]) {
    out.push('[');
    list(out, items, |out, item| text(out, item.as_ref()));
    out.push(']');
}

/// Appends an alert.
pub(super) fn alert(out: &mut String, view: &AlertView) {
    out.push_str("{\"annotations\":");
    labels(out, &view.alert.annotations);
    out.push(',');
    time_field(out, "endsAt", view.alert.ends_at);
    let _ = write!(out, ",\"fingerprint\":\"{:016x}\"", view.fingerprint);
    out.push_str(",\"receivers\":[");
    list(out, &view.receivers, |out, name| {
        out.push('{');
        field(out, "name", name);
        out.push('}');
    });
    out.push_str("],");
    time_field(out, "startsAt", view.alert.starts_at);
    out.push_str(",\"status\":{\"inhibitedBy\":[");
    list(out, &view.status.inhibited_by, |out, fingerprint| {
        let _ = write!(out, "\"{fingerprint:016x}\"");
    });
    out.push_str("],\"mutedBy\":");
    texts(out, &view.status.muted_by);
    out.push_str(",\"silencedBy\":");
    texts(out, &view.status.silenced_by);
    let _ = write!(out, ",\"state\":\"{}\"}},", view.status.state.as_str());
    time_field(out, "updatedAt", view.alert.updated_at);
    out.push(',');
    if !view.alert.generator_url.is_empty() {
        field(out, "generatorURL", &view.alert.generator_url);
        out.push(',');
    }
    out.push_str("\"labels\":");
    labels(out, &view.alert.labels);
    out.push('}');
}

/// Appends a group; `labelled` says whether any route has labels.
pub(super) fn group(out: &mut String, view: &GroupView, labelled: bool) {
    out.push_str("{\"alerts\":[");
    list(out, &view.alerts, alert);
    out.push_str("],\"labels\":");
    labels(out, &view.labels);
    out.push_str(",\"receiver\":{");
    field(out, "name", &view.receiver);
    out.push('}');
    // compat: 0.34 has the field always. Without labels in the configuration, which 0.33 does not know,
    // groups are those of 0.33, for whoever compares the two.
    if labelled {
        out.push_str(",\"routeLabels\":");
        let labels = view.route_labels.iter();
        pairs(out, labels.map(|(n, v)| (n.as_str(), v.as_str())));
    }
    out.push('}');
}

/// Appends a silence.
pub(super) fn silence(out: &mut String, silence: &Silence, now: WallTime) {
    out.push('{');
    field(out, "id", &silence.id);
    let _ = write!(
        out,
        ",\"status\":{{\"state\":\"{}\"}},",
        silence.state(now).as_str()
    );
    time_field(out, "updatedAt", silence.updated_at);
    out.push(',');
    // compat: left out when there are none, though the schema asks for it.
    if !silence.annotations.is_empty() {
        out.push_str("\"annotations\":");
        let notes = silence.annotations.iter();
        pairs(out, notes.map(|(n, v)| (n.as_str(), v.as_str())));
        out.push(',');
    }
    field(out, "comment", &silence.comment);
    out.push(',');
    field(out, "createdBy", &silence.created_by);
    out.push(',');
    time_field(out, "endsAt", silence.ends_at);
    out.push_str(",\"matchers\":[");
    // compat: version 2 of the API knows one set; further ones follow in the same list.
    let matchers = silence.matcher_sets.iter().flat_map(|set| &set.0);
    list(out, matchers, |out, matcher| {
        let _ = write!(
            out,
            "{{\"isEqual\":{},\"isRegex\":{},",
            matcher.is_equal(),
            matcher.is_regex()
        );
        field(out, "name", &matcher.name);
        out.push(',');
        field(out, "value", &matcher.value);
        out.push('}');
    });
    out.push_str("],");
    time_field(out, "startsAt", silence.starts_at);
    out.push('}');
}

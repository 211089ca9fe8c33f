//! The configuration as Alertmanager shows it: what it would fill in is filled in, secrets are hidden, fields
//! stand in the order of its structs.

use serde_json::Value as Json;

use super::schema::{GLOBAL, RECEIVERS, Schema, Type};
use super::section::{Section, Value};
use super::{AlertmanagerConfig, Integration, Receiver};
use crate::alerting::matchers::{Syntax, parse_matchers};
use crate::alerting::{NamedInterval, TimeInterval, TimeRange, WEEKDAYS};
use crate::config::schema::{Out, to_yaml};
use crate::template::gotime::format_duration;
use crate::text::duration::format_ms;
use crate::text::header::canonical_header;
use crate::text::yaml::{Kind, Node};

/// The order of a receiver's sections.
const ORDER: [&str; 18] = [
    "discord",
    "email",
    "incidentio",
    "pagerduty",
    "slack",
    "webhook",
    "opsgenie",
    "wechat",
    "pushover",
    "victorops",
    "sns",
    "telegram",
    "webex",
    "msteams",
    "msteamsv2",
    "jira",
    "rocketchat",
    "mattermost",
];

/// Fields that are shown even when they are empty, off or zero.
const KEPT: [(&str, &str); 15] = [
    ("global", "smtp_require_tls"),
    ("webhook", "url_file"),
    ("webhook", "max_alerts"),
    ("webhook", "timeout"),
    ("incidentio", "url_file"),
    ("incidentio", "max_alerts"),
    ("incidentio", "timeout"),
    ("pagerduty", "timeout"),
    ("slack", "short_fields"),
    ("slack", "link_names"),
    ("slack", "update_message"),
    ("slack", "timeout"),
    ("rocketchat", "short_fields"),
    ("rocketchat", "link_names"),
    ("email", "require_tls"),
];

/// Fields that may be absent, and so are shown when they are off.
const POINTERS: [&str; 4] = [
    "short",
    "enable_update",
    "force_implicit_tls",
    "smtp_force_implicit_tls",
];

/// Fields that hold the call of a built-in template unless they are given: kind, field, template.
const TEMPLATES: [(&str, &str, &str); 52] = [
    ("discord", "title", "title"),
    ("discord", "message", "message"),
    ("email", "html", "html"),
    ("pagerduty", "client", "client"),
    ("pagerduty", "client_url", "clientURL"),
    ("pagerduty", "source", "client"),
    ("slack", "username", "username"),
    ("slack", "color", "color"),
    ("slack", "title", "title"),
    ("slack", "title_link", "titlelink"),
    ("slack", "pretext", "pretext"),
    ("slack", "text", "text"),
    ("slack", "footer", "footer"),
    ("slack", "fallback", "fallback"),
    ("slack", "callback_id", "callbackid"),
    ("slack", "icon_emoji", "iconemoji"),
    ("slack", "icon_url", "iconurl"),
    ("opsgenie", "message", "message"),
    ("opsgenie", "description", "description"),
    ("opsgenie", "source", "source"),
    ("wechat", "message", "message"),
    ("wechat", "to_user", "to_user"),
    ("wechat", "to_party", "to_party"),
    ("wechat", "to_tag", "to_tag"),
    ("wechat", "agent_id", "agent_id"),
    ("pushover", "title", "title"),
    ("pushover", "message", "message"),
    ("pushover", "url", "url"),
    ("victorops", "state_message", "state_message"),
    ("victorops", "entity_display_name", "entity_display_name"),
    ("victorops", "monitoring_tool", "monitoring_tool"),
    ("sns", "subject", "subject"),
    ("sns", "message", "message"),
    ("telegram", "message", "message"),
    ("webex", "message", "message"),
    ("msteams", "title", "title"),
    ("msteams", "summary", "summary"),
    ("msteams", "text", "text"),
    ("msteamsv2", "title", "title"),
    ("msteamsv2", "text", "text"),
    ("jira", "priority", "priority"),
    ("rocketchat", "title", "title"),
    ("rocketchat", "title_link", "titlelink"),
    ("rocketchat", "text", "text"),
    ("rocketchat", "emoji", "emoji"),
    ("rocketchat", "icon_url", "iconurl"),
    ("mattermost", "username", "username"),
    ("mattermost", "text", "text"),
    ("mattermost", "fallback", "fallback"),
    ("mattermost", "color", "color"),
    ("mattermost", "title", "title"),
    ("mattermost", "title_link", "titlelink"),
];

/// Other defaults: kind, field, text.
const TEXTS: [(&str, &str, &str); 9] = [
    (
        "pagerduty",
        "description",
        "{{ template \"pagerduty.default.description\" .}}",
    ),
    ("victorops", "message_type", "CRITICAL"),
    ("wechat", "message_type", "text"),
    ("telegram", "parse_mode", "HTML"),
    ("jira", "api_type", "auto"),
    (
        "pushover",
        "priority",
        "{{ if eq .Status \"firing\" }}2{{ else }}0{{ end }}",
    ),
    ("pushover", "retry", "1m0s"),
    ("pushover", "expire", "1h0m0s"),
    (
        "rocketchat",
        "color",
        "{{ if eq .Status \"firing\" }}red{{ else }}green{{ end }}",
    ),
];

/// What upstream adds to the details of PagerDuty.
const DETAILS: [(&str, &str); 4] = [
    ("firing", "{{ .Alerts.Firing | toJson }}"),
    ("num_firing", "{{ .Alerts.Firing | len }}"),
    ("num_resolved", "{{ .Alerts.Resolved | len }}"),
    ("resolved", "{{ .Alerts.Resolved | toJson }}"),
];

type Fields = Vec<(String, Out)>;

/// The whole configuration; `root` is what the file says.
pub(super) fn show(root: &Node, config: &AlertmanagerConfig, syntax: Syntax) -> String {
    let mut out = Fields::new();
    let mut put = |name: &str, value: Out| out.push((name.to_owned(), value));
    put(
        "global",
        Out::Map(section("global", &GLOBAL, &config.global)),
    );
    let rules = Raw { syntax };
    if let Some(node) = child(root, "route") {
        put("route", Out::Map(rules.route(node)));
    }
    let inhibit = items(root, "inhibit_rules").map(|node| Out::Map(rules.inhibit_rule(node)));
    let inhibit: Vec<Out> = inhibit.collect();
    if !inhibit.is_empty() {
        put("inhibit_rules", Out::List(inhibit));
    }
    let receivers = config.receivers.iter().map(|r| Out::Map(receiver(r)));
    put("receivers", Out::List(receivers.collect()));
    put("templates", texts(&config.templates));
    let deprecated = items(root, "mute_time_intervals").count();
    let (old, new) = config
        .time_intervals
        .split_at(deprecated.min(config.time_intervals.len()));
    for (name, intervals) in [("mute_time_intervals", old), ("time_intervals", new)] {
        if !intervals.is_empty() {
            put(name, Out::List(intervals.iter().map(named).collect()));
        }
    }
    to_yaml(&out)
}

fn text(text: &str) -> Out {
    Out::Text(text.to_owned())
}

fn texts(all: &[String]) -> Out {
    Out::List(all.iter().map(|one| text(one)).collect())
}

fn word(value: &impl ToString) -> Out {
    Out::Word(value.to_string())
}

fn child<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let Kind::Mapping(entries) = &node.kind else {
        return None;
    };
    let found = entries
        .iter()
        .find(|entry| entry.key.as_str() == Some(name));
    found
        .map(|entry| &entry.value)
        .filter(|value| !value.is_null())
}

fn items<'n>(node: &'n Node, name: &str) -> impl Iterator<Item = &'n Node> {
    match child(node, name).map(|node| &node.kind) {
        Some(Kind::Sequence(items)) => items.iter(),
        _ => [].iter(),
    }
}

/// Takes fields over as the file has them.
fn copy(node: &Node, names: &[&str], out: &mut Fields) {
    for name in names {
        let Some(value) = child(node, name) else {
            continue;
        };
        let value = match &value.kind {
            Kind::Scalar { text: word, .. } => text(word),
            Kind::Sequence(items) => {
                Out::List(items.iter().filter_map(Node::as_str).map(text).collect())
            }
            Kind::Mapping(entries) => {
                let mut pairs: Fields = entries
                    .iter()
                    .filter_map(|e| Some((e.key.as_str()?.to_owned(), text(e.value.as_str()?))))
                    .collect();
                pairs.sort_by(|a, b| a.0.cmp(&b.0));
                Out::Map(pairs)
            }
        };
        let empty = match &value {
            Out::List(items) => items.is_empty(),
            Out::Map(pairs) => pairs.is_empty(),
            Out::Text(text) => text.is_empty(),
            _ => false,
        };
        if !empty {
            out.push(((*name).to_owned(), value));
        }
    }
}

/// Takes lengths of time over as upstream writes them.
fn spans(node: &Node, names: &[&str], out: &mut Fields) {
    for name in names {
        let ms = child(node, name)
            .and_then(Node::as_str)
            .and_then(|span| crate::text::duration::parse_ms(span).ok());
        if let Some(ms) = ms {
            out.push(((*name).to_owned(), text(&format_ms(ms))));
        }
    }
}

/// Parts that are shown as the file has them.
struct Raw {
    syntax: Syntax,
}

impl Raw {
    fn matchers(&self, node: &Node, name: &str, out: &mut Fields) {
        let all: Vec<Out> = items(node, name)
            .filter_map(Node::as_str)
            .filter_map(|item| parse_matchers(self.syntax, item).ok())
            .flatten()
            .map(|matcher| text(&matcher.to_string()))
            .collect();
        if !all.is_empty() {
            out.push((name.to_owned(), Out::List(all)));
        }
    }

    /// YAML's depth bounds the recursion.
    fn route(&self, node: &Node) -> Fields {
        let mut out = Fields::new();
        copy(
            node,
            &["receiver", "group_by", "match", "match_re"],
            &mut out,
        );
        self.matchers(node, "matchers", &mut out);
        copy(
            node,
            &["mute_time_intervals", "active_time_intervals"],
            &mut out,
        );
        let continues = child(node, "continue").and_then(Node::as_str) == Some("true");
        out.push(("continue".to_owned(), word(&continues)));
        let routes: Vec<Out> = items(node, "routes")
            .map(|node| Out::Map(self.route(node)))
            .collect();
        if !routes.is_empty() {
            out.push(("routes".to_owned(), Out::List(routes)));
        }
        spans(
            node,
            &["group_wait", "group_interval", "repeat_interval"],
            &mut out,
        );
        copy(node, &["labels"], &mut out);
        out
    }

    fn inhibit_rule(&self, node: &Node) -> Fields {
        let mut out = Fields::new();
        copy(node, &["name", "source_match", "source_match_re"], &mut out);
        self.matchers(node, "source_matchers", &mut out);
        let sources: Vec<Out> = items(node, "sources")
            .map(|node| {
                let mut source = Fields::new();
                self.matchers(node, "matchers", &mut source);
                copy(node, &["equal"], &mut source);
                Out::Map(source)
            })
            .collect();
        if !sources.is_empty() {
            out.push(("sources".to_owned(), Out::List(sources)));
        }
        copy(node, &["target_match", "target_match_re"], &mut out);
        self.matchers(node, "target_matchers", &mut out);
        copy(node, &["equal"], &mut out);
        out
    }
}

fn receiver(receiver: &Receiver) -> Fields {
    let mut labels: Fields = receiver
        .labels
        .iter()
        .filter(|(name, _)| name != "name")
        .map(|(name, value)| (name.clone(), text(value)))
        .chain([("name".to_owned(), text(&receiver.name))])
        .collect();
    labels.sort_by(|a, b| a.0.cmp(&b.0));
    let mut out = vec![
        ("name".to_owned(), text(&receiver.name)),
        ("labels".to_owned(), Out::Map(labels)),
    ];
    for kind in ORDER {
        let Some((_, key, schema)) = RECEIVERS.iter().find(|(name, _, _)| *name == kind) else {
            continue;
        };
        let of_kind = receiver.integrations.iter().filter(|i| i.kind == kind);
        let all: Vec<Out> = of_kind.map(|i| Out::Map(integration(i, schema))).collect();
        if !all.is_empty() {
            out.push(((*key).to_owned(), Out::List(all)));
        }
    }
    out
}

fn integration(integration: &Integration, schema: &Schema) -> Fields {
    let mut out = section(integration.kind, schema, &integration.options);
    for (name, value) in &mut out {
        if name == "send_resolved" {
            *value = word(&integration.send_resolved);
        }
    }
    out
}

/// A section's fields in the schema's order, with defaults.
fn section(kind: &str, schema: &Schema, section: &Section) -> Fields {
    let mut out = Fields::new();
    for (name, field) in schema.fields {
        let shown = field_out(kind, name, *field, section);
        if let Some(shown) = shown {
            out.push(((*name).to_owned(), shown));
        }
    }
    out
}

fn field_out(kind: &str, name: &'static str, field: Type, section: &Section) -> Option<Out> {
    if let Some(shown) = section.shown(name) {
        return Some(Out::Map(shown.to_vec()));
    }
    match (kind, name) {
        ("global", "resolve_timeout") if !section.has(name) => return Some(text("5m")),
        ("pagerduty", "details") => return Some(Out::Map(details(section))),
        ("email", "headers") => return Some(Out::Map(headers(section))),
        ("jira", "summary" | "description") if !section.has(name) => {
            let call = format!("{{{{ template \"jira.default.{name}\" . }}}}");
            return Some(Out::Map(vec![("template".to_owned(), Out::Text(call))]));
        }
        ("sns", "sigv4") if !section.has(name) => return Some(Out::Map(Vec::new())),
        (_, "send_resolved") => return Some(word(&true)),
        _ => {}
    }
    if POINTERS.contains(&name) && section.flag(name) == Some(false) {
        return Some(word(&false));
    }
    if let Some(value) = section.get(name)
        && let Some(shown) = value_out(value, field)
    {
        return Some(shown);
    }
    if section.has(name) && matches!(field, Type::Text) {
        // An empty text takes the place of a default and is left out itself.
        return KEPT.contains(&(kind, name)).then(|| text(""));
    }
    let of = |(k, n, _): &&(&str, &str, &str)| (*k, *n) == (kind, name);
    if let Some((_, _, template)) = TEMPLATES.iter().find(of) {
        let call = format!("{{{{ template \"{kind}.default.{template}\" . }}}}");
        return Some(Out::Text(call));
    }
    if let Some((_, _, default)) = TEXTS.iter().find(of) {
        return Some(text(default));
    }
    if !KEPT.contains(&(kind, name)) {
        return None;
    }
    Some(match field {
        Type::Bool => word(&false),
        Type::GoSpan => text("0s"),
        Type::Int | Type::Uint => word(&0),
        _ => text(""),
    })
}

/// A value, unless upstream leaves it out.
fn value_out(value: &Value, field: Type) -> Option<Out> {
    Some(match value {
        Value::Bool(true) => word(&true),
        Value::Bool(false) => return None,
        Value::Text(given) if given.is_empty() => return None,
        Value::Text(given) => match field {
            Type::Url => Out::Text(crate::config::go_url::redacted(given)),
            _ => text(given),
        },
        Value::Secret(secret) if secret.is_empty() => return None,
        Value::Secret(_) => text("<secret>"),
        Value::Int(0) | Value::Nanoseconds(0) => return None,
        Value::Int(number) => word(number),
        Value::Nanoseconds(ns) => match field {
            Type::GoSpan => Out::Text(format_duration(*ns)),
            _ => Out::Text(format_ms(ns / 1_000_000)),
        },
        Value::Texts(all) if all.is_empty() => return None,
        Value::Texts(all) => texts(all),
        Value::Map(pairs) if pairs.is_empty() => return None,
        Value::Map(pairs) => Out::Map(sorted(pairs.iter().map(|(n, v)| (n.clone(), text(v))))),
        Value::Any(json) => json_out(json),
        // Printed from what was read.
        Value::Http(_) | Value::Tls(_) => return None,
        Value::Section(inner) => match field {
            Type::Section(schema) | Type::TextOr(_, schema) | Type::TextsOr(_, schema) => {
                Out::Map(section("", schema, inner))
            }
            _ => return None,
        },
        Value::Sections(all) if all.is_empty() => return None,
        Value::Sections(all) => match field {
            Type::Sections(schema) => Out::List(
                all.iter()
                    .map(|one| Out::Map(section("", schema, one)))
                    .collect(),
            ),
            _ => return None,
        },
    })
}

fn sorted(pairs: impl Iterator<Item = (String, Out)>) -> Fields {
    let mut pairs: Fields = pairs.collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

fn json_out(json: &Json) -> Out {
    match json {
        Json::String(given) => text(given),
        Json::Array(all) => Out::List(all.iter().map(json_out).collect()),
        Json::Object(pairs) => {
            Out::Map(sorted(pairs.iter().map(|(n, v)| (n.clone(), json_out(v)))))
        }
        other => word(other),
    }
}

fn details(section: &Section) -> Fields {
    let given = section.any("details").and_then(Json::as_object);
    let given: Fields = given
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), json_out(value)))
        .collect();
    let missing = DETAILS
        .iter()
        .filter(|(name, _)| !given.iter().any(|(own, _)| own == name))
        .map(|(name, value)| ((*name).to_owned(), text(value)));
    let missing: Fields = missing.collect();
    sorted(given.into_iter().chain(missing))
}

fn headers(section: &Section) -> Fields {
    let given = section.map("headers").iter();
    let given: Fields = given
        .map(|(name, value)| (canonical_header(name), text(value)))
        .collect();
    let defaults = [
        ("From", section.text("from").unwrap_or_default()),
        ("Subject", "{{ template \"email.default.subject\" . }}"),
        ("To", section.text("to").unwrap_or_default()),
    ];
    let missing: Fields = defaults
        .into_iter()
        .filter(|(name, _)| !given.iter().any(|(own, _)| own == name))
        .map(|(name, value)| (name.to_owned(), text(value)))
        .collect();
    sorted(given.into_iter().chain(missing))
}

fn named(interval: &NamedInterval) -> Out {
    let intervals = interval.intervals.iter().map(|one| Out::Map(times(one)));
    Out::Map(vec![
        ("name".to_owned(), text(&interval.name)),
        ("time_intervals".to_owned(), Out::List(intervals.collect())),
    ])
}

fn times(interval: &TimeInterval) -> Fields {
    let mut out = Fields::new();
    if let Some(times) = &interval.times {
        out.push((
            "times".to_owned(),
            Out::List(times.iter().copied().map(range).collect()),
        ));
    }
    let day = |at: i32| {
        let name = usize::try_from(at).ok().and_then(|at| WEEKDAYS.get(at));
        name.map_or_else(|| at.to_string(), |name| (*name).to_owned())
    };
    let number = |at: i32| at.to_string();
    let lists = [
        (
            "weekdays",
            interval
                .weekdays
                .as_ref()
                .map(|all| flow(all.iter().map(|r| (r.begin, r.end)), day)),
        ),
        (
            "days_of_month",
            interval
                .days_of_month
                .as_ref()
                .map(|all| flow(all.iter().map(|r| (r.begin, r.end)), number)),
        ),
        (
            "months",
            interval
                .months
                .as_ref()
                .map(|all| flow(all.iter().map(|r| (r.begin, r.end)), number)),
        ),
        (
            "years",
            interval
                .years
                .as_ref()
                .map(|all| flow(all.iter().map(|r| (r.begin, r.end)), number)),
        ),
    ];
    for (name, list) in lists {
        if let Some(list) = list {
            out.push((name.to_owned(), list));
        }
    }
    if let Some(location) = &interval.location {
        out.push(("location".to_owned(), text(&location.name)));
    }
    out
}

fn flow(ranges: impl Iterator<Item = (i32, i32)>, shown: impl Fn(i32) -> String) -> Out {
    Out::Flow(
        ranges
            .map(|(begin, end)| {
                Out::Text(if begin == end {
                    shown(begin)
                } else {
                    format!("{}:{}", shown(begin), shown(end))
                })
            })
            .collect(),
    )
}

fn range(range: TimeRange) -> Out {
    let clock = |minute: i32| text(&format!("{:02}:{:02}", minute / 60, minute % 60));
    Out::Map(vec![
        ("start_time".to_owned(), clock(range.start_minute)),
        ("end_time".to_owned(), clock(range.end_minute)),
    ])
}

//! `/api/v1/rules` and `/api/v1/alerts`.

use serde_json::{Map, Value, json};
use sha1::{Digest as _, Sha1};

use super::selection::selectors;
use crate::http::{Failure, Params, Reply, State, json};
use crate::model::Matcher;
use crate::rules::{AlertView, GroupView, RuleKind, RuleView};
use crate::text::gofmt;
use crate::text::quote::quote;
use crate::time::{Timestamp, WallTime};

/// Which rules a request wants.
struct Filter<'a> {
    alerting: bool,
    recording: bool,
    names: Vec<&'a str>,
    groups: Vec<&'a str>,
    files: Vec<&'a str>,
    matchers: Vec<Vec<Matcher>>,
    show_alerts: bool,
}

/// A page of groups.
struct Paging<'a> {
    limit: Option<usize>,
    token: &'a str,
}

pub(super) async fn rules(state: State, params: Params) -> Result<Reply, Failure> {
    let filter = filter(&params)?;
    let paging = paging(&params)?;
    let mut groups = (state.rules)();
    groups.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
    let mut found_token = paging.token.is_empty();
    let mut shown = Vec::new();
    let mut next = None;
    for group in &groups {
        if !found_token {
            if token(group) != paging.token {
                continue;
            }
            found_token = true;
        }
        if !wanted(&filter.groups, &group.name) || !wanted(&filter.files, &group.file) {
            continue;
        }
        let rules: Vec<Value> = group
            .rules
            .iter()
            .filter(|rule| filter.wants(rule))
            .map(|r| rule(r, filter.show_alerts))
            .collect();
        if rules.is_empty() {
            continue;
        }
        if paging.limit == Some(shown.len()) {
            next = Some(token(group));
            break;
        }
        shown.push(group_with(group, &rules));
    }
    if !found_token {
        return Err(Failure::invalid(
            "group_next_token",
            format!(
                "invalid group_next_token '{}'. were rule groups changed?",
                paging.token
            ),
        ));
    }
    let mut data = Map::new();
    data.insert("groups".to_owned(), Value::Array(shown));
    if let Some(next) = next {
        data.insert("groupNextToken".to_owned(), Value::String(next));
    }
    Ok(Reply::json(&data))
}

pub(super) async fn alerts(state: State, _: Params) -> Result<Reply, Failure> {
    let groups = (state.rules)();
    let shown: Vec<Value> = groups
        .iter()
        .flat_map(|group| &group.rules)
        .filter_map(|rule| match &rule.kind {
            RuleKind::Alerting { alerts, .. } => Some(alerts),
            RuleKind::Recording => None,
        })
        .flatten()
        .map(alert)
        .collect();
    Ok(Reply::json(&json!({ "alerts": shown })))
}

fn filter(params: &Params) -> Result<Filter<'_>, Failure> {
    let kind = params.get("type");
    if !matches!(kind.to_lowercase().as_str(), "" | "alert" | "record") {
        return Err(Failure::invalid(
            "type",
            format!("not supported value {}", quote(kind)),
        ));
    }
    let exclude = params.get("exclude_alerts");
    let show_alerts = match exclude {
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => true,
        "1" | "t" | "T" | "true" | "TRUE" | "True" => false,
        other => {
            return Err(Failure::invalid(
                "exclude_alerts",
                format!(
                    "error converting exclude_alerts: strconv.ParseBool: parsing {}: invalid syntax",
                    quote(other)
                ),
            ));
        }
    };
    Ok(Filter {
        alerting: !kind.eq_ignore_ascii_case("record"),
        recording: !kind.eq_ignore_ascii_case("alert"),
        names: params.all("rule_name[]").collect(),
        groups: params.all("rule_group[]").collect(),
        files: params.all("file[]").collect(),
        matchers: selectors(params).map_err(Failure::bad_data)?,
        show_alerts,
    })
}

impl Filter<'_> {
    fn wants(&self, rule: &RuleView) -> bool {
        let kind = match rule.kind {
            RuleKind::Alerting { .. } => self.alerting,
            RuleKind::Recording => self.recording,
        };
        let labels = self.matchers.is_empty()
            || self.matchers.iter().any(|set| {
                set.iter()
                    .all(|m| m.matches(rule.labels.get(&m.name).unwrap_or_default()))
            });
        kind && labels && wanted(&self.names, &rule.name)
    }
}

fn wanted(list: &[&str], name: &str) -> bool {
    list.is_empty() || list.contains(&name)
}

fn paging(params: &Params) -> Result<Paging<'_>, Failure> {
    let token = params.get("group_next_token");
    let text = params.get("group_limit");
    if text.is_empty() {
        return if token.is_empty() {
            Ok(Paging { limit: None, token })
        } else {
            Err(Failure::invalid(
                "group_next_token",
                "group_limit needs to be present in order to paginate over the groups",
            ))
        };
    }
    let limit = text.parse::<i64>().map_err(|_| {
        Failure::invalid(
            "group_limit",
            format!(
                "group_limit needs to be a valid number: strconv.ParseInt: parsing {}: invalid syntax",
                quote(text)
            ),
        )
    })?;
    if limit <= 0 {
        return Err(Failure::invalid(
            "group_limit",
            "group_limit needs to be greater than 0",
        ));
    }
    Ok(Paging {
        limit: usize::try_from(limit).ok(),
        token,
    })
}

/// compat: the next page begins at the group with this name.
fn token(group: &GroupView) -> String {
    let digest = Sha1::digest(format!("{};{}", group.file, group.name));
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = std::fmt::Write::write_fmt(&mut hex, format_args!("{byte:02x}"));
        hex
    })
}

fn group_with(group: &GroupView, rules: &[Value]) -> Value {
    json!({
        "name": group.name,
        "file": group.file,
        "rules": rules,
        "interval": number(group.interval.as_secs_f64()),
        "limit": group.limit,
        "evaluationTime": group.evaluation_time.as_secs_f64(),
        "lastEvaluation": time(group.last_evaluation),
    })
}

fn rule(rule: &RuleView, show_alerts: bool) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    if let RuleKind::Alerting { state, .. } = &rule.kind {
        put("state", json!(state.as_str()));
    }
    put("name", json!(rule.name));
    put("query", json!(rule.query));
    if let RuleKind::Alerting {
        hold,
        keep_firing_for,
        ..
    } = &rule.kind
    {
        put("duration", number(hold.as_secs_f64()));
        put("keepFiringFor", number(keep_firing_for.as_secs_f64()));
    }
    let is_alerting = matches!(rule.kind, RuleKind::Alerting { .. });
    // compat: a recording rule without labels shows none, an alerting rule an empty object.
    if is_alerting || !rule.labels.is_empty() {
        put("labels", json::labels(&rule.labels));
    }
    if let RuleKind::Alerting {
        annotations,
        alerts,
        ..
    } = &rule.kind
    {
        put("annotations", json::labels(annotations));
        // Upstream shows null where alerts are left out; an empty list is what clients expect.
        let alerts = if show_alerts { alerts.as_slice() } else { &[] };
        put("alerts", alerts.iter().map(alert).collect());
    }
    put("health", json!(rule.health.as_str()));
    if !rule.last_error.is_empty() {
        put("lastError", json!(rule.last_error));
    }
    put("evaluationTime", json!(rule.evaluation_time.as_secs_f64()));
    put("lastEvaluation", time(rule.last_evaluation));
    put(
        "type",
        json!(if is_alerting { "alerting" } else { "recording" }),
    );
    Value::Object(shown)
}

fn alert(alert: &AlertView) -> Value {
    let mut shown = Map::new();
    let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
    put("labels", json::labels(&alert.labels));
    put("annotations", json::labels(&alert.annotations));
    put("state", json!(alert.state.as_str()));
    put("activeAt", time(Some(alert.active_at)));
    if let Some(since) = alert.keep_firing_since {
        put("keepFiringSince", time(Some(since)));
    }
    put("value", json!(gofmt::float_e(alert.value)));
    Value::Object(shown)
}

fn time(t: Option<Timestamp>) -> Value {
    Value::String(t.map_or(WallTime::ZERO, WallTime::from).to_string())
}

/// Whole seconds without a fraction, as Go prints floats.
fn number(v: f64) -> Value {
    if v.fract() == 0.0 && v.abs() < 1e15 {
        Value::from(v as i64)
    } else {
        Value::from(v)
    }
}

//! What the rule of an alert says that did not come in, or that has ended.

use serde_json::Value;

use super::expression;
use crate::alerting::Matcher;
use crate::cli::Error;
use crate::cli::amtool::{self, Server};
use crate::model::MatchOp;
use crate::text::suggest;
use crate::time::WallTime;

/// In words: firing, pending, not firing, broken, not there.
pub(super) fn lines(
    server: &Server,
    words: &[String],
    at: Option<WallTime>,
) -> Result<Vec<String>, Error> {
    let matchers = words
        .iter()
        .map(|word| amtool::matcher(word, server.settings.syntax))
        .collect::<Result<Vec<Matcher>, _>>()?;
    let params = [("type", "alert".to_owned())];
    let Some(answer) = server.get_if_known("/api/v1/rules", &params)? else {
        return Ok(vec![
            "it never came in, and this server runs no rules: look where the rule runs".to_owned(),
        ]);
    };
    let rules: Vec<&Value> = items(&answer["data"]["groups"])
        .flat_map(|group| items(&group["rules"]))
        .collect();
    let by_name = |m: &&Matcher| m.name == "alertname";
    let own: Vec<&Value> = rules
        .iter()
        .copied()
        .filter(|rule| {
            let mut names = matchers.iter().filter(by_name);
            names.all(|m| m.matches(text(&rule["name"])))
        })
        .collect();
    if own.is_empty() {
        return Ok(vec![unknown(&matchers, &rules)]);
    }
    let mut out = Vec::new();
    for rule in own {
        let (line, silent) = about(rule, &matchers);
        out.push(line);
        let silent = match at {
            None => silent,
            Some(at) => {
                let (line, silent) = then(server, text(&rule["name"]), at)?;
                out.push(line);
                silent
            }
        };
        if silent {
            out.extend(expression::lines(server, rule, &matchers, at));
        }
    }
    Ok(out)
}

fn unknown(matchers: &[Matcher], rules: &[&Value]) -> String {
    let name = matchers
        .iter()
        .find(|m| m.name == "alertname" && m.op == MatchOp::Equal)
        .map_or("", |m| m.value.as_str());
    if name.is_empty() {
        return "it never came in, and no rule here has such a name".to_owned();
    }
    let names = rules.iter().map(|rule| text(&rule["name"]));
    match suggest::closest(name, names) {
        Some(meant) => {
            format!("it never came in, and no rule here is named {name}: did you mean {meant}?")
        }
        None => format!("it never came in, and no rule here is named {name}"),
    }
}

/// What a rule says now, and whether its expression finds nothing.
fn about(rule: &Value, matchers: &[Matcher]) -> (String, bool) {
    let name = text(&rule["name"]);
    let error = text(&rule["lastError"]);
    if !error.is_empty() {
        return (
            format!("the rule {name} cannot be evaluated: {error}"),
            false,
        );
    }
    let fits = |alert: &&Value| {
        matchers.iter().all(|m| {
            let value = alert["labels"][m.name.as_str()].as_str();
            m.matches(value.unwrap_or_default())
        })
    };
    let found: Vec<&Value> = items(&rule["alerts"]).filter(fits).collect();
    let state = |wanted: &str| {
        let mut found = found.iter();
        found.find(|alert| alert["state"] == wanted).copied()
    };
    if let Some(alert) = state("firing") {
        let since = text(&alert["activeAt"]);
        return (format!("the rule {name} fires since {since}"), false);
    }
    if let Some(alert) = state("pending") {
        let line = format!(
            "the rule {name} is pending since {}: it fires after {} s",
            text(&alert["activeAt"]),
            rule["duration"]
        );
        return (line, false);
    }
    let others = items(&rule["alerts"]).count();
    if others > 0 {
        let line = format!(
            "the rule {name} does not fire for these labels, but for {others} other label sets"
        );
        return (line, true);
    }
    let line = format!(
        "the rule {name} does not fire: its expression finds nothing: {}",
        text(&rule["query"])
    );
    (line, true)
}

/// What the samples of `ALERTS` say of a time in the past, and whether they say that there was nothing.
fn then(server: &Server, name: &str, at: WallTime) -> Result<(String, bool), Error> {
    let query = format!("ALERTS{{alertname={}}}", crate::text::quote::quote(name));
    let params = [("query", query), ("time", at.to_string())];
    let Some(answer) = server.get_if_known("/api/v1/query", &params)? else {
        return Ok((format!("nothing is known of {name} at {at}"), false));
    };
    let states: Vec<&str> = items(&answer["data"]["result"])
        .map(|sample| text(&sample["metric"]["alertstate"]))
        .collect();
    let count = |wanted: &str| states.iter().filter(|state| **state == wanted).count();
    let line = format!(
        "at {at} it had {} firing and {} pending alerts",
        count("firing"),
        count("pending")
    );
    Ok((line, states.is_empty()))
}

pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

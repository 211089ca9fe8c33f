//! What the rule of an alert says that did not come in, or that has ended.

use serde_json::Value;

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
        .map(|word| amtool::matcher(word))
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
        out.push(about(rule, &matchers));
        if let Some(at) = at {
            out.push(then(server, text(&rule["name"]), at)?);
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

/// What a rule says now.
fn about(rule: &Value, matchers: &[Matcher]) -> String {
    let name = text(&rule["name"]);
    let error = text(&rule["lastError"]);
    if !error.is_empty() {
        return format!("the rule {name} cannot be evaluated: {error}");
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
        return format!("the rule {name} fires since {}", text(&alert["activeAt"]));
    }
    if let Some(alert) = state("pending") {
        return format!(
            "the rule {name} is pending since {}: it fires after {} s",
            text(&alert["activeAt"]),
            rule["duration"]
        );
    }
    let others = items(&rule["alerts"]).count();
    if others > 0 {
        return format!(
            "the rule {name} does not fire for these labels, but for {others} other label sets"
        );
    }
    format!(
        "the rule {name} does not fire: its expression finds nothing: {}",
        text(&rule["query"])
    )
}

/// What the samples of `ALERTS` say of a time in the past.
fn then(server: &Server, name: &str, at: WallTime) -> Result<String, Error> {
    let query = format!("ALERTS{{alertname={}}}", crate::text::quote::quote(name));
    let params = [("query", query), ("time", at.to_string())];
    let Some(answer) = server.get_if_known("/api/v1/query", &params)? else {
        return Ok(format!("nothing is known of {name} at {at}"));
    };
    let states: Vec<&str> = items(&answer["data"]["result"])
        .map(|sample| text(&sample["metric"]["alertstate"]))
        .collect();
    let count = |wanted: &str| states.iter().filter(|state| **state == wanted).count();
    Ok(format!(
        "at {at} it had {} firing and {} pending alerts",
        count("firing"),
        count("pending")
    ))
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

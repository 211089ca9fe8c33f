//! Relabeling: rules in order over a label set, and which rules are refused.

use serde_json::Value;
use watchfire::model::{Labels, LabelsBuilder, ValidationScheme};
use watchfire::relabel::{Action, Error, Rule, apply};

use crate::harness::{self, Group};

#[test]
fn relabel() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let read = |name: &str| -> Value {
        let text = std::fs::read_to_string(folder.join("relabel").join(name)).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let mut group = Group::new("relabel");
    for case in read("relabel_cases.json").as_array().unwrap() {
        group.check(case["name"].as_str().unwrap(), run(case));
    }
    let tables = read("relabel_validate.json");
    for case in tables["cases"].as_array().unwrap() {
        group.check(&case["config"].to_string(), validate(case));
    }
    for case in tables["legacy_target_label"].as_array().unwrap() {
        let rule = Rule {
            target_label: text(case, "target_label"),
            validation: ValidationScheme::Legacy,
            ..Rule::default()
        };
        let valid = rule.validate().is_ok();
        let outcome = if Value::Bool(valid) == case["valid_under_legacy"] {
            Ok(())
        } else {
            Err(format!("valid: {valid}"))
        };
        group.check(&rule.target_label, outcome);
    }
    group.finish();
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn rule(value: &Value) -> Result<Rule, Error> {
    let word = text(value, "action");
    Ok(Rule {
        source_labels: value["source_labels"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect(),
        separator: text(value, "separator"),
        regex: Rule::regex(&text(value, "regex")).unwrap(),
        modulus: value["modulus"].as_u64().unwrap_or(0),
        target_label: text(value, "target_label"),
        replacement: text(value, "replacement"),
        action: if word.is_empty() {
            return Err(Error::EmptyAction);
        } else {
            Action::parse(&word)?
        },
        validation: ValidationScheme::Utf8,
    })
}

/// In these cases an empty text means the default.
fn rule_with_defaults(value: &Value) -> Rule {
    let mut value = value.clone();
    let defaults = [
        ("separator", ";"),
        ("regex", "(.*)"),
        ("replacement", "$1"),
        ("action", "replace"),
    ];
    for (key, default) in defaults {
        if text(&value, key).is_empty() {
            value[key] = default.into();
        }
    }
    rule(&value).unwrap()
}

fn labels(value: &Value) -> Labels {
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

fn run(case: &Value) -> Result<(), String> {
    let rules: Vec<Rule> = case["relabel_configs"]
        .as_array()
        .unwrap()
        .iter()
        .map(rule_with_defaults)
        .collect();
    let mut builder = LabelsBuilder::from(&labels(&case["input"]));
    let got = apply(&mut builder, &rules).then(|| builder.build());
    let want = (case["drop"] != Value::Bool(true)).then(|| labels(&case["output"]));
    if got == want {
        Ok(())
    } else {
        Err(format!("want {want:?}, got {got:?}"))
    }
}

fn validate(case: &Value) -> Result<(), String> {
    let scheme = match case["scheme"].as_str() {
        Some("legacy") => ValidationScheme::Legacy,
        _ => ValidationScheme::Utf8,
    };
    let outcome = rule(&case["config"]).and_then(|rule| {
        Rule {
            validation: scheme,
            ..rule
        }
        .validate()
    });
    let want = text(case, "error_substring");
    match outcome {
        Ok(()) if want.is_empty() => Ok(()),
        Err(e) if !want.is_empty() && e.to_string().contains(&want) => Ok(()),
        other => Err(format!("want {want:?}, got {other:?}")),
    }
}

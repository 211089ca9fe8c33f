//! Groups am-config, am-routing, am-matchers, am-intervals and am-inhibit: see
//! `../shared/conformance/README.md`.

use std::path::{Path, PathBuf};

use serde_json::Value;
use watchfire::alerting::matchers::{self, Syntax};
use watchfire::alerting::{
    Error, GroupBy, InhibitRule, InhibitSource, Inhibitor, Matcher, Matchers, Route, RouteTree,
    TimeInterval,
};
use watchfire::config::alertmanager;
use watchfire::model::{Labels, MatchOp};
use watchfire::text::yaml::{self, Decoder, Dialect};
use watchfire::time::WallTime;

use crate::harness::{self, Group};

fn table(folder: &Path, name: &str) -> Value {
    let path = folder.join("config/alertmanager").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn label_set(value: &Value) -> Labels {
    let Some(object) = value.as_object() else {
        return Labels::empty();
    };
    object
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
        .collect()
}

#[test]
fn am_matchers() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let mut group = Group::new("am-matchers");
    for case in items(&table(&folder, "matcher_parse_cases.json")) {
        let Some(input) = case["input"].as_str() else {
            group.skip("the input is not UTF-8");
            continue;
        };
        let parser = case["parser"].as_str().unwrap();
        let syntaxes: &[Syntax] = match parser.split(' ').next().unwrap() {
            "utf8" => &[Syntax::Utf8],
            "classic" => &[Syntax::Classic],
            // Where the two parsers differ the expectation is the classic one's, and its reading wins.
            _ if case["skip"] == true => &[Syntax::Classic, Syntax::Fallback],
            _ if case["error_prefix"].is_string() => {
                &[Syntax::Utf8, Syntax::Classic, Syntax::Fallback]
            }
            _ => &[Syntax::Utf8, Syntax::Fallback],
        };
        let single = case["test"] == "TestMatcher";
        let outcome = syntaxes
            .iter()
            .try_for_each(|syntax| check_matchers(*syntax, single, input, case));
        group.check(&format!("{parser} {input:?}"), outcome);
    }
    group.finish();
}

fn check_matchers(syntax: Syntax, single: bool, input: &str, case: &Value) -> Result<(), String> {
    let parsed: Result<Vec<Matcher>, Error> = if single {
        matchers::parse_utf8_matcher(input).map(|matcher| vec![matcher])
    } else {
        matchers::parse_matchers(syntax, input)
    };
    match parsed {
        Err(error) => {
            let text = error.to_string();
            // A prefix is what the classic parser says.
            let expected = match (case["error"].as_str(), case["error_prefix"].as_str()) {
                (Some(exact), _) => text == exact,
                (_, Some(prefix)) => syntax == Syntax::Utf8 || text.starts_with(prefix),
                _ => false,
            };
            if expected {
                Ok(())
            } else {
                Err(format!("{syntax:?}: refused: {text}"))
            }
        }
        Ok(parsed) => {
            let wanted = match &case["expected"] {
                Value::Array(all) => all.clone(),
                Value::Null => return Err(format!("{syntax:?}: accepted: {parsed:?}")),
                one => vec![one.clone()],
            };
            let seen: Vec<Value> = parsed
                .iter()
                .map(|m| serde_json::json!({"op": m.op.as_str(), "name": m.name, "value": m.value}))
                .collect();
            if seen == wanted {
                Ok(())
            } else {
                Err(format!("{syntax:?}: {seen:?}, not {wanted:?}"))
            }
        }
    }
}

const NOW: WallTime = WallTime::from_ms(1_700_000_000_000);

/// Ends of alerts: an hour to go, or over since an hour.
fn ends_at(active: &Value) -> WallTime {
    let hour = watchfire::time::Span::hours(1);
    if active == false {
        NOW - hour
    } else {
        NOW + hour
    }
}

#[test]
fn am_inhibit() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let mut group = Group::new("am-inhibit");
    for test in items(&table(&folder, "inhibit_cases.json")) {
        let name = test["test"].as_str().unwrap();
        for (i, case) in items(&test["cases"]).iter().enumerate() {
            let outcome = match name {
                "TestInhibit" => check_muted(test, case),
                "TestInhibitRuleHasEqual" => check_equal(case),
                _ => check_inhibited(test, case),
            };
            group.check(&format!("{name} {i}"), outcome);
        }
    }
    group.finish();
}

fn side(rule: &Value, side: &str) -> Matchers {
    let mut all = Vec::new();
    for (name, value) in rule[format!("{side}_match")]
        .as_object()
        .into_iter()
        .flatten()
    {
        all.push(Matcher::new(MatchOp::Equal, name, value.as_str().unwrap()).unwrap());
    }
    for text in items(&rule[format!("{side}_matchers")]) {
        all.extend(matchers::parse_matchers(Syntax::Fallback, text.as_str().unwrap()).unwrap());
    }
    Matchers(all)
}

fn strings(value: &Value) -> Vec<String> {
    items(value)
        .iter()
        .map(|text| text.as_str().unwrap().to_owned())
        .collect()
}

fn inhibitor(test: &Value) -> Inhibitor {
    Inhibitor::new(
        items(&test["inhibit_rules"])
            .iter()
            .map(|rule| InhibitRule {
                sources: vec![InhibitSource {
                    matchers: side(rule, "source"),
                    equal: strings(&rule["equal"]),
                }],
                target_matchers: side(rule, "target"),
                ..InhibitRule::default()
            })
            .collect(),
    )
}

fn same(what: &str, seen: bool, wanted: &Value) -> Result<(), String> {
    if Some(seen) == wanted.as_bool() {
        Ok(())
    } else {
        Err(format!("{what} is {seen}, not {wanted}"))
    }
}

fn check_inhibited(test: &Value, case: &Value) -> Result<(), String> {
    let mut inhibitor = inhibitor(test);
    for source in items(&test["firing_source_alerts"]) {
        let labels = label_set(source);
        inhibitor.on_alert(labels.fingerprint(), &labels, ends_at(&Value::Null));
    }
    let target = label_set(&case["target"]);
    let seen = inhibitor.inhibited(&target, NOW).is_some();
    same("inhibited", seen, &case["inhibited"])
}

fn check_muted(test: &Value, case: &Value) -> Result<(), String> {
    let mut inhibitor = inhibitor(test);
    for alert in items(&case["alerts"]) {
        let labels = label_set(&alert["labels"]);
        inhibitor.on_alert(labels.fingerprint(), &labels, ends_at(&alert["active"]));
    }
    items(&case["expect"]).iter().try_for_each(|expected| {
        let labels = label_set(&expected["labels"]);
        let seen = inhibitor.inhibited(&labels, NOW).is_some();
        same(&labels.to_string(), seen, &expected["muted"])
    })
}

fn check_equal(case: &Value) -> Result<(), String> {
    let mut inhibitor = Inhibitor::new(vec![InhibitRule {
        sources: vec![InhibitSource {
            matchers: Matchers::default(),
            equal: strings(&case["equal"]),
        }],
        target_matchers: Matchers(vec![
            Matcher::new(MatchOp::Equal, "only_the_target", "1").unwrap(),
        ]),
        ..InhibitRule::default()
    }]);
    for alert in items(&case["source_alerts"]) {
        let labels = label_set(&alert["labels"]);
        inhibitor.on_alert(labels.fingerprint(), &labels, ends_at(&alert["active"]));
    }
    let target = label_set(&case["target"]).with("only_the_target", "1");
    let seen = inhibitor.inhibited(&target, NOW).is_some();
    same("inhibited", seen, &case["has_equal"])
}

#[test]
fn am_config() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let mut group = Group::new("am-config");
    let data = folder.join("config/alertmanager");
    let expected = std::fs::read_to_string(data.join("expected.tsv")).unwrap();
    for line in expected.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let (file, upstream, exit, amtool) = (columns[0], columns[1], columns[2], columns[3]);
        let text = std::fs::read_to_string(config_file(&data, file)).unwrap();
        // go-yaml's own heading says nothing.
        let wanted = [upstream, amtool]
            .into_iter()
            .find(|text| !text.is_empty())
            .unwrap_or_default();
        let wanted = if wanted.starts_with("yaml: ") {
            ""
        } else {
            wanted
        };
        group.check(file, check_config(&text, exit == "0", wanted));
    }
    for case in items(&table(&folder, "inline_cases.json")) {
        let name = case["name"].as_str().unwrap();
        let wanted = case["upstream_expected"].as_str().unwrap();
        let amtool = case["amtool_0_33_1_exit"] == 0;
        // compat: in UTF-8 mode, the default, this name is good; upstream's table is for classic mode.
        let good = wanted.is_empty() || name == "TestGroupByInvalidLabel" && amtool;
        let wanted = if good { "" } else { wanted };
        let text = case["yaml"].as_str().unwrap();
        group.check(name, check_config(text, good, wanted));
    }
    group.finish();
}

/// A file of the tables: under `config/testdata` or where its name says.
fn config_file(data: &Path, name: &str) -> PathBuf {
    let file = data.join("config/testdata").join(name);
    if file.exists() { file } else { data.join(name) }
}

fn check_config(text: &str, good: bool, wanted: &str) -> Result<(), String> {
    match alertmanager::parse(text, Syntax::Fallback) {
        Ok(_) if good => Ok(()),
        Ok(_) => Err(format!("accepted, not refused with {wanted:?}")),
        Err(problems) if good => Err(format!("refused: {problems:?}")),
        Err(problems) if problems.iter().any(|p| p.message.contains(wanted)) => Ok(()),
        Err(problems) => Err(format!("refused with {problems:?}, not {wanted:?}")),
    }
}

#[test]
fn am_routing() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let mut group = Group::new("am-routing");
    for test in items(&table(&folder, "route_cases.json")) {
        let name = test["test"].as_str().unwrap();
        let document = yaml::parse_first(test["route_yaml"].as_str().unwrap()).unwrap();
        let decoder = Decoder::new(Dialect::V2);
        let root = alertmanager::read_route(&decoder, &document.root, Syntax::Fallback);
        assert_eq!(decoder.into_problems(), [], "{name}");
        let tree = RouteTree::new(&root);
        for (i, case) in items(&test["cases"]).iter().enumerate() {
            group.check(&format!("{name} {i}"), check_route(&tree, case));
        }
        if let Some(wanted) = test["expected_route_ids_depth_first"].as_array() {
            let seen: Vec<Value> = tree.routes().iter().map(|r| r.id.clone().into()).collect();
            let outcome = if seen == *wanted {
                Ok(())
            } else {
                Err(format!("{seen:?}"))
            };
            group.check(name, outcome);
        }
    }
    let data = folder.join("config/alertmanager");
    for case in items(&table(&folder, "amtool_routing.json")) {
        let name = case["config"].as_str().unwrap();
        let text = std::fs::read_to_string(config_file(&data, name)).unwrap();
        let config = alertmanager::parse(&text, Syntax::Fallback).unwrap();
        let tree = RouteTree::new(&config.route);
        let (seen, wanted) = if case["labels"].is_null() {
            (Value::from(tree.to_text()), &case["routes_show_stdout"])
        } else {
            let routes = matches(&tree, &case["labels"]);
            let receivers = routes.iter().map(|route| route.receiver.clone());
            (receivers.collect(), &case["receivers"])
        };
        let outcome = if seen == *wanted {
            Ok(())
        } else {
            Err(format!("{seen}, not {wanted}"))
        };
        group.check(&format!("{name} {}", case["labels"]), outcome);
    }
    group.finish();
}

fn matches<'t>(tree: &'t RouteTree, labels: &Value) -> Vec<&'t Route> {
    tree.matches(&label_set(labels))
        .into_iter()
        .map(|at| tree.get(at).unwrap())
        .collect()
}

fn check_route(tree: &RouteTree, case: &Value) -> Result<(), String> {
    if case["input"].is_object() {
        // Only what is expected of the last matching route's labels is told.
        let routes = matches(tree, &case["input"]);
        let seen: serde_json::Map<String, Value> = routes
            .iter()
            .flat_map(|route| &route.labels)
            .map(|(name, value)| (name.clone(), value.clone().into()))
            .collect();
        let wanted = case["expectedRouteLabels"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        return if seen == wanted {
            Ok(())
        } else {
            Err(format!("{seen:?}, not {wanted:?}"))
        };
    }
    let routes = matches(tree, &case["labels"]);
    let seen: Value = routes
        .iter()
        .map(|route| {
            let (all, names) = match &route.group_by {
                GroupBy::All => (true, Vec::new()),
                GroupBy::Labels(names) => (false, names.iter().collect()),
            };
            serde_json::json!({
                "receiver": route.receiver,
                "group_by": names,
                "group_by_all": all,
                "group_wait_s": route.group_wait.as_ms() / 1000,
                "group_interval_s": route.group_interval.as_ms() / 1000,
                "repeat_interval_s": route.repeat_interval.as_ms() / 1000,
            })
        })
        .collect();
    let keys: Value = routes.iter().map(|route| route.key.clone()).collect();
    if seen != case["routes"] {
        return Err(format!("{seen}, not {}", case["routes"]));
    }
    if keys != case["route_keys"] {
        return Err(format!("{keys}, not {}", case["route_keys"]));
    }
    Ok(())
}

#[test]
fn am_intervals() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let mut group = Group::new("am-intervals");
    for case in items(&table(&folder, "time_interval_cases.json")["cases"]) {
        let text = case["yaml"].as_str().unwrap();
        group.check(text, check_interval(text, case));
    }
    group.finish();
}

fn check_interval(text: &str, case: &Value) -> Result<(), String> {
    let document = yaml::parse_first(text).map_err(|problem| problem.to_string())?;
    let decoder = Decoder::new(Dialect::V2);
    let mut intervals: Vec<TimeInterval> = Vec::new();
    match case["kind"].as_str().unwrap() {
        "time range" => {
            let range = alertmanager::read_time_range(&decoder, &document.root);
            let wanted = &case["range"];
            let number = |name: &str| wanted[name].as_i64().map(|n| n as i32);
            if let (Some(range), Some(start)) = (range, number("StartMinute"))
                && (Some(range.end_minute), range.start_minute) != (number("EndMinute"), start)
            {
                return Err(format!("{range:?}, not {wanted}"));
            }
        }
        "single interval" => {
            intervals.push(alertmanager::read_interval(&decoder, &document.root));
        }
        _ => intervals.extend(
            document
                .root
                .as_sequence()
                .unwrap_or_default()
                .iter()
                .map(|node| alertmanager::read_interval(&decoder, node)),
        ),
    }
    let problems = decoder.into_problems();
    if (case["expect_error"] == true) == problems.is_empty() {
        return Err(format!("problems: {problems:?}"));
    }
    if let Some(wanted) = case["error"].as_str()
        && !problems.iter().any(|p| p.message.contains(wanted))
    {
        return Err(format!("{problems:?}, not {wanted}"));
    }
    for (name, wanted) in [("contains", true), ("excludes", false)] {
        for time in items(&case[name]) {
            let time = time.as_str().unwrap();
            let parsed = jiff::Timestamp::strptime("%d %b %y %H:%M %z", time).unwrap();
            let now = WallTime::from_ms(parsed.as_millisecond());
            if intervals.iter().any(|i| i.contains(now)) != wanted {
                return Err(format!("{name} {time} is not so"));
            }
        }
    }
    Ok(())
}

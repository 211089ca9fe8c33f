//! The examples of the pages are what they say: the bad one is found by its check and no other, the good
//! one by none.

use std::collections::BTreeSet;
use std::path::Path;

use crate::alerting::matchers::Syntax;
use crate::check::source::rule_source;
use crate::check::{ConfigCheck, Finding, RuleFile, Severity, config, rules};
use crate::config::MemoryFiles;
use crate::config::lint::LintOptions;
use crate::config::prometheus::{self, LoadOptions};
use crate::config::watchfire::parse_lint;
use crate::rules::file::FileOptions;
use crate::text::yaml::parse_first;
use crate::time::Span;

use super::{CATALOGUE, Page, Routing, Subjects, removed_recordings, run};

/// What `lint:` must say for a check to look at anything.
const OPTIONS: [(&str, &str); 12] = [
    ("W027", "retention: 15d"),
    ("W032", "severities: {useless-for: info}"),
    ("W050", "alert_names: '[A-Z]\\w+'"),
    (
        "W051",
        "labels: [{name: severity, pattern: critical|warning}]",
    ),
    ("W052", "for: {max: 1d}"),
    (
        "W053",
        "aggregations: [{metrics: 'cluster:.*', keep: [job]}]",
    ),
    ("W054", "reject: ['https?://wiki.old.example/.*']"),
    ("W055", "annotations: [{name: runbook_url}]"),
    (
        "W056",
        "selectors: [{metrics: 'node_.*', require: [cluster]}]",
    ),
    ("W057", "owners: 'team-.*'"),
    ("W058", "reports: [{names: 'old:.*', comment: use new}]"),
    ("W031", "evaluation_interval: 1m"),
];

/// Pages whose examples are about something else than rules and routes, or have none.
const OTHERS: [&str; 7] = ["W002", "W003", "W004", "W005", "W091", "E008", "E009"];

fn options(page: &Page) -> LintOptions {
    let section = OPTIONS.iter().find(|(id, _)| *id == page.id);
    let text = section.map_or(String::new(), |(_, text)| format!("lint: {{{text}}}\n"));
    parse_lint(text.as_bytes()).unwrap()
}

fn indented(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    let lines = text.lines().map(|line| format!("{pad}{line}\n"));
    lines.collect::<Vec<_>>().concat()
}

/// A rule file around a snippet: what the snippet leaves out has no fault.
fn rule_file(page: &Page, snippet: &str) -> String {
    let completed = |rules: &str| match page.id {
        "W030" => rules.to_owned(),
        _ => completed(rules),
    };
    // A fault of YAML's own is in the lines, which are put where their first word belongs.
    let root = parse_first(snippet).map(|document| document.root);
    let root = root.unwrap_or_else(|_| parse_first("{summary: x}").unwrap().root);
    let has = |key: &str| root.entry(key).is_some();
    if has("groups") {
        return snippet.to_owned();
    }
    if has("rules") {
        let fields = indented(&completed(snippet), 2);
        return format!("groups:\n- name: g\n{fields}");
    }
    if root.as_sequence().is_some() {
        let is_group = root.as_sequence().unwrap()[0].entry("interval").is_some();
        if is_group {
            return format!("groups:\n{snippet}\n  rules:\n  - record: a:b\n    expr: sum(x)\n");
        }
        return group(&indented(&completed(snippet), 2));
    }
    if has("record") {
        return group(&indented(&format!("- {}", indented(snippet, 2).trim()), 2));
    }
    let mut rule = String::from("- alert: A\n");
    if !has("expr") && !snippet.starts_with("expr:") {
        rule.push_str("  expr: up == 0\n");
    }
    if !has("for") {
        rule.push_str("  for: 5m\n");
    }
    let first = snippet
        .lines()
        .find(|line| !line.starts_with('#') || snippet.starts_with("# no"));
    let top = first
        .unwrap_or_default()
        .split(':')
        .next()
        .unwrap_or_default();
    let text = match top {
        "summary" | "description" | "runbook_url" => {
            format!("annotations:\n{}", indented(snippet, 2))
        }
        "severity" => format!("labels:\n{}", indented(snippet, 2)),
        _ => snippet.to_owned(),
    };
    rule.push_str(&indented(&text, 2));
    if !text.contains("annotations:") {
        rule.push_str("  annotations: {summary: s}\n");
    }
    let other = "- alert: Other\n  expr: other > 1\n  labels: {severity: critical}\n  annotations: {summary: s}\n";
    let others = other.repeat(5);
    let more = if top == "severity" {
        others
    } else {
        String::new()
    };
    group(&indented(&format!("{rule}{more}"), 2))
}

fn group(rules: &str) -> String {
    format!("groups:\n- name: g\n  rules:\n{rules}")
}

/// Rules with the annotations that they lack, unless that is the point.
fn completed(rules: &str) -> String {
    if rules.contains("annotations:") || !rules.contains("alert: ") {
        return rules.to_owned();
    }
    let mut out = String::new();
    let mut open = false;
    let end = "  annotations: {summary: s}\n";
    for line in rules.lines() {
        if line.starts_with(['-', '#']) && open {
            out.push_str(end);
            open = false;
        }
        open |= line.starts_with("- alert:") || line.starts_with("- expr:");
        out.push_str(line);
        out.push('\n');
        if line == "- alert: instance down" || line == "- alert: InstanceDown" {
            out.push_str("  expr: up == 0\n");
        }
    }
    if open {
        out.push_str(end);
    }
    out
}

/// An `alertmanager.yml` around a snippet, and rules that know its labels.
fn router_file(page: &Page, snippet: &str) -> (String, String) {
    let root = parse_first(snippet).unwrap().root;
    let key = root
        .as_mapping()
        .map_or("", |entries| entries[0].key.as_str().unwrap_or_default());
    let receivers = "receivers: [{name: slack}, {name: pager}]\n";
    let used = "  routes:\n  - {matchers: ['team=\"db\"'], receiver: pager}\n  - {matchers: ['cluster=\"a\"'], receiver: pager}\n";
    let rules = "  - alert: A\n    expr: up == 0\n    labels: {severity: critical, cluster: a, team: db}\n    annotations: {summary: s}\n  - alert: B\n    expr: up == 1\n    labels: {severity: warning, cluster: a, team: db}\n    annotations: {summary: s}\n";
    let route = |text: &str| format!("route:\n  receiver: slack\n{text}");
    let text = match key {
        "route" if root.entry("receivers").is_some() => snippet.to_owned(),
        "route" => {
            let inner = indented(snippet.split_once('\n').unwrap().1, 0);
            let intervals = if snippet.contains("weekend") {
                "time_intervals: [{name: weekend, time_intervals: [{weekdays: [saturday]}]}]\n"
            } else {
                ""
            };
            format!("route:\n  receiver: slack\n{inner}receivers: [{{name: slack}}]\n{intervals}")
        }
        "routes" => format!("{}{receivers}", route(&indented(snippet, 2))),
        "group_by" | "group_interval" | "repeat_interval" => {
            format!("{}{used}{receivers}", route(&indented(snippet, 2)))
        }
        "labels" | "time_intervals" => {
            let snippet = if key == "labels" {
                "  routes: [{matchers: ['alertname=\"A\"'], receiver: slack}]\n".to_owned()
            } else {
                "time_intervals: [{name: weekend, time_intervals: [{weekdays: [saturday]}]}]\n"
                    .to_owned()
            };
            format!("receivers: [{{name: slack}}]\nroute:\n  receiver: slack\n{snippet}")
        }
        "matchers" | "match" => {
            let child = format!(
                "- {}",
                indented(&format!("{snippet}\nreceiver: pager"), 2).trim()
            );
            format!(
                "{}{receivers}",
                route(&format!("  routes:\n{}", indented(&child, 2)))
            )
        }
        "equal" => format!(
            "{}{used}{receivers}inhibit_rules:\n- source_matchers: ['severity=\"critical\"']\n  target_matchers: ['severity=\"warning\"']\n  {snippet}\n",
            route("")
        ),
        "source_matchers" => {
            let rule = format!("- {}", indented(snippet, 2).trim());
            format!("{}{used}{receivers}inhibit_rules:\n{rule}\n", route(""))
        }
        "# alertmanager.yml" | "inhibit_rules" => {
            format!("{}{used}{receivers}{snippet}\n", route(""))
        }
        _ => format!("{}{used}{receivers}inhibit_rules:\n{snippet}\n", route("")),
    };
    let rules = match page.id {
        "W072" => rules
            .replace("severity: critical, cluster: a, ", "")
            .replace("severity: warning, cluster: a, ", ""),
        _ => rules.to_owned(),
    };
    (text, group(&rules))
}

fn is_router(page: &Page) -> bool {
    page.id >= "W070" && page.id <= "W082"
}

fn parse(text: &str) -> RuleFile {
    let (file, errors) = RuleFile::parse("r.yml", text.as_bytes(), &FileOptions::default());
    assert!(errors.is_empty(), "{}\n{text}", errors[0]);
    file.unwrap()
}

fn found(page: &Page, snippet: &str) -> Vec<Finding> {
    if is_router(page) {
        let (text, rules) = router_file(page, snippet);
        let routing = Routing::parse("am.yml", &text, Syntax::default()).unwrap_or_else(|| {
            panic!(
                "{}\n{text}",
                crate::check::alertmanager("am.yml", text.as_bytes(), Syntax::default())[0]
            )
        });
        let subjects = Subjects {
            rules: &[parse(&rules)],
            routing: Some(&routing),
            config: None,
        };
        let mut found = run(subjects, &options(page));
        // The scaffold's rules have labels for all the routes of all examples.
        found.retain(|finding| finding.id() != "W072" || page.id == "W072");
        return found;
    }
    if page.id == "W083" && snippet.contains("inhibit_rules") {
        let (text, _) = router_file(page, snippet);
        let routing = Routing::parse("am.yml", &text, Syntax::default()).unwrap();
        let subjects = Subjects {
            rules: &[parse(&rule_file(page, page.bad))],
            routing: Some(&routing),
            config: None,
        };
        let mut found = run(subjects, &options(page));
        found.retain(|finding| finding.file == "r.yml" && finding.id() != "W037");
        return found;
    }
    let text = rule_file(page, snippet);
    let file_options = FileOptions::default();
    let external = matches!(page.id, "W042" | "W043");
    match page.id {
        id if id.starts_with('E') => rules("r.yml", text.as_bytes(), &file_options, false).findings,
        "W001" => rules("r.yml", text.as_bytes(), &file_options, true).findings,
        "W090" => rule_source("r.yml", text.as_bytes(), &file_options).findings,
        "W064" => {
            let before =
                "  - record: job:errors:rate5m\n    expr: sum by (job) (rate(errors_total[5m]))\n";
            removed_recordings(&[parse(&group(before))], &[parse(&text)])
        }
        "W093" => crate::check::fix::unformatted(&parse(&text)),
        "W092" => {
            let others = "- alert: B\n  expr: up == 1\n  annotations: {summary: s}\n";
            let text = format!("{text}{}", indented(&others.repeat(9), 2));
            run(
                Subjects {
                    rules: &[parse(&text)],
                    ..Subjects::default()
                },
                &options(page),
            )
        }
        _ => {
            let mut files = MemoryFiles::new();
            files.insert("p.yml", "global: {external_labels: {cluster: a}}\n");
            let config = prometheus::load(
                Path::new("p.yml"),
                &files,
                &|_| None,
                LoadOptions::default(),
            );
            let config = config.unwrap();
            let subjects = Subjects {
                rules: &[parse(&text)],
                config: external.then_some(&config),
                ..Subjects::default()
            };
            run(subjects, &options(page))
        }
    }
}

#[test]
fn bad_examples_are_found_and_good_ones_are_not() {
    let mut wrong = Vec::new();
    for page in CATALOGUE.iter().filter(|page| !OTHERS.contains(&page.id)) {
        let ids = |snippet: &str| -> BTreeSet<&str> {
            found(page, snippet).iter().map(Finding::id).collect()
        };
        let bad = ids(page.bad);
        let mut wanted = BTreeSet::from([page.id]);
        // Jobs may vanish as well as go down, in any example with `up`.
        wanted.extend((page.id == "W083").then_some("W037"));
        if bad != wanted {
            wrong.push(format!("the bad example of {}: {bad:?}", page.id));
        }
        // What is better for one check may still be for information of another.
        let is_worse = |id: &&str| {
            let known = CATALOGUE.iter().find(|page| page.id == *id).unwrap();
            *id == page.id || known.severity > Severity::Info
        };
        let good: BTreeSet<&str> = ids(page.good).into_iter().filter(is_worse).collect();
        if !good.is_empty() {
            wrong.push(format!("the good example of {}: {good:?}", page.id));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn examples_about_other_files() {
    let mut files = MemoryFiles::new();
    let check = ConfigCheck {
        lookback_delta: Some(Span::minutes(5)),
        ..ConfigCheck::default()
    };
    let mut ids = |snippet: &str| -> Vec<&'static str> {
        let job = indented(&format!("job_name: j\n{snippet}"), 2);
        files.insert(
            "p.yml",
            format!("scrape_configs:\n- {}\n", job.trim()).as_str(),
        );
        let report = config(Path::new("p.yml"), &files, &|_| None, check);
        report.findings.iter().map(Finding::id).collect()
    };
    for id in ["W002", "E008"] {
        let page = super::page(id).unwrap();
        assert_eq!(ids(page.bad), [id]);
        assert!(ids(page.good).is_empty(), "{id}");
    }
    let page = super::page("W091").unwrap();
    let lints = |text: &str| {
        let report = crate::check::metrics(format!("{text}\n").as_bytes()).unwrap();
        report.problems.len()
    };
    assert!(lints(page.bad) > 0 && lints(page.good) == 0);
    let page = super::page("W005").unwrap();
    let text = |comment: &str| group(&format!("  {comment}\n  - record: a:b\n    expr: sum(x)\n"));
    let found = |comment: &str| {
        run(
            Subjects {
                rules: &[parse(&text(comment))],
                ..Subjects::default()
            },
            &LintOptions::default(),
        )
    };
    assert_eq!(found(page.bad)[0].id(), "W005");
    assert!(found(page.good).is_empty());
}

use crate::check::Finding;
use crate::check::lint::testing::{alert, file, findings_with};
use crate::config::lint::LintOptions;

const RECEIVERS: &str = "receivers: [{name: a}, {name: b}]\n";

fn found(routing: &str, rules: &[String]) -> Vec<(String, usize)> {
    let text = file(&rules.concat());
    let files: Vec<&str> = if rules.is_empty() {
        vec![]
    } else {
        vec![&text]
    };
    findings_with(&files, Some(routing), &LintOptions::default())
        .iter()
        .filter(|finding| finding.id() >= "W070")
        .map(|finding: &Finding| {
            (
                finding.id().to_owned(),
                finding.place.as_ref().unwrap().line,
            )
        })
        .collect()
}

fn ids(routing: &str, rules: &[String]) -> Vec<String> {
    found(routing, rules)
        .into_iter()
        .map(|(id, _)| id)
        .collect()
}

fn routes(text: &str) -> String {
    format!("route:\n  receiver: a\n  routes:\n{text}{RECEIVERS}")
}

fn rule(expr: &str, severity: &str) -> String {
    alert(expr, "").replace("severity: warning", &format!("severity: {severity}"))
}

#[test]
fn routes_behind_others() {
    let wide = "  - matchers: [severity=~\"critical|warning\"]\n    receiver: b\n";
    let narrow = "  - matchers: [severity=\"critical\"]\n    receiver: a\n";
    assert_eq!(
        found(&routes(&format!("{wide}{narrow}")), &[]),
        [("W070".to_owned(), 6)]
    );
    assert!(ids(&routes(&format!("{narrow}{wide}")), &[]).is_empty());
    let continues = format!("{wide}    continue: true\n{narrow}");
    assert!(ids(&routes(&continues), &[]).is_empty());
    let catch_all = format!("  - receiver: b\n{narrow}");
    assert_eq!(ids(&routes(&catch_all), &[]), ["W070"]);
    let inside =
        "  - matchers: [team=\"a\"]\n    receiver: b\n    routes:\n    - matchers: [team=\"b\"]\n";
    assert_eq!(ids(&routes(inside), &[]), ["W070"]);
    let inside = inside.replace("team=\"b\"", "team=~\"a|b\"");
    assert!(ids(&routes(&inside), &[]).is_empty());
}

#[test]
fn receivers_and_intervals_are_used() {
    let text =
        "route: {receiver: a}\nreceivers: [{name: a}, {name: b}]\ntime_intervals: [{name: t}]\n";
    assert_eq!(ids(text, &[]), ["W071", "W079"]);
    let text = "route: {receiver: a, routes: [{receiver: b, matchers: [x=y], mute_time_intervals: [t]}]}\nreceivers: [{name: a}, {name: b}]\ntime_intervals: [{name: t}]\n";
    assert!(ids(text, &[]).is_empty());
}

#[test]
fn repeats_come_with_the_group_interval() {
    let text = |group: &str, repeat: &str| {
        format!(
            "route: {{receiver: a, group_interval: {group}, repeat_interval: {repeat}}}\nreceivers: [{{name: a}}]\n"
        )
    };
    assert_eq!(ids(&text("3h", "4h"), &[]), ["W077"]);
    assert_eq!(ids(&text("5m", "10d"), &[]), ["W078"]);
    assert!(ids(&text("5m", "4h"), &[]).is_empty());
}

#[test]
fn labels_find_routes_and_routes_find_alerts() {
    let rules = [
        rule("a > 1", "critical"),
        rule("b > 1", "warning").replace("severity", "team: x, severity"),
    ];
    let by = |matcher: &str| routes(&format!("  - matchers: ['{matcher}']\n    receiver: b\n"));
    assert_eq!(ids(&by("severity=\"critical\""), &rules), ["W072"]);
    assert_eq!(ids(&by("severity=\"critcal\""), &rules), ["W080", "W072"]);
    assert_eq!(ids(&by("team=\"y\""), &rules), ["W072"]);
    let named = by("team=\"x\"").replace("receiver: a\n", "receiver: a\n  group_by: [severity]\n");
    assert!(ids(&named, &rules).is_empty());
}

#[test]
fn groups_are_made_by_labels_that_exist() {
    let group = |labels: &str| {
        routes("  - matchers: [severity=\"warning\"]\n    receiver: b\n").replace(
            "receiver: a\n",
            &format!("receiver: a\n  group_by: [{labels}]\n"),
        )
    };
    let rules = [rule("sum by (cluster) (a) > 1", "warning")];
    assert_eq!(ids(&group("alertname, clutser"), &rules), ["W073"]);
    assert!(ids(&group("alertname, cluster"), &rules).is_empty());
    assert!(
        ids(&group("alertname, datacenter"), &rules).is_empty(),
        "it may be an external label"
    );
    let set = [
        rule("sum(a) > 1", "warning"),
        rule("b{cluster=\"x\"} > 1", "page").replace("severity", "team: x, severity"),
    ];
    let inner =
        routes("  - matchers: [severity=\"warning\"]\n    receiver: b\n    group_by: [team]\n");
    assert_eq!(ids(&inner, &set), ["W073"]);
}

#[test]
fn inhibition_mutes_what_it_should() {
    let text = |rules: &str| {
        format!(
            "route:\n  receiver: a\n  group_by: [severity]\ninhibit_rules:\n{rules}receivers: [{{name: a}}]\n"
        )
    };
    let pair = |source: &str, target: &str, equal: &str| {
        format!(
            "- source_matchers: ['severity=\"{source}\"']\n  target_matchers: ['severity=\"{target}\"']\n  equal: [{equal}]\n"
        )
    };
    assert!(ids(&text(&pair("critical", "warning", "cluster")), &[]).is_empty());
    assert_eq!(
        ids(&text(&pair("critical", "critical", "cluster")), &[]),
        ["W075"]
    );
    let both = format!(
        "{}{}",
        pair("critical", "warning", "x"),
        pair("warning", "critical", "x")
    );
    assert_eq!(ids(&text(&both), &[]), ["W076"]);
    let rules = [
        rule("sum by (cluster) (a) > 1", "critical"),
        rule("sum(b) > 1", "warning"),
    ];
    assert_eq!(
        ids(&text(&pair("critical", "warning", "clutser")), &rules),
        ["W074"]
    );
    let config_labels = text(&pair("critical", "warning", "cluster"));
    assert!(
        ids(&config_labels, &rules).is_empty(),
        "it may be an external label"
    );
    let set = [
        rule("sum(a) > 1", "critical").replace("severity", "team: x, severity"),
        rule("sum(b) > 1", "warning"),
    ];
    assert_eq!(
        ids(&text(&pair("critical", "warning", "team")), &set),
        ["W074"]
    );
}

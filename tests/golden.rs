//! What the program says, word for word. `INSTA_UPDATE=always cargo test --test golden` takes new words over.
#![allow(clippy::unwrap_used, reason = "a broken set-up must stop the test")]
#![allow(clippy::disallowed_methods, reason = "real files on the real disk")]

use std::path::Path;
use std::process::Command;

#[path = "golden/tsdb.rs"]
mod tsdb;

/// Runs the program in `folder`; exit code, standard output and standard error as one text.
fn run(folder: &Path, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_watchfire"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!(
        "exit {}\n--- stdout\n{}--- stderr\n{}",
        out.status.code().unwrap_or(-1),
        text(&out.stdout),
        text(&out.stderr)
    )
}

fn check(name: &str, text: &str) {
    let mut settings = insta::Settings::new();
    settings.set_snapshot_path("golden");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A folder with one file.
fn with_file(name: &str, text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    folder
}

#[test]
fn help_lists_the_verbs() {
    let folder = tempfile::tempdir().unwrap();
    check("help", &run(folder.path(), &["--help"]));
}

#[test]
fn an_unknown_flag_names_the_nearest_known() {
    let folder = tempfile::tempdir().unwrap();
    check(
        "unknown_flag",
        &run(folder.path(), &["serve", "--config.fil=x"]),
    );
}

#[test]
fn a_bad_expression_in_a_block_scalar_is_shown_at_its_place() {
    let text = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      sum by (job) (rate(x[5m])\n        > 5\n  - alert: B\n    expr: up == 0\n    severity: critical\n";
    let folder = with_file("rules.yaml", text);
    check(
        "check_rules",
        &run(folder.path(), &["check", "rules", "rules.yaml"]),
    );
}

#[test]
fn a_typo_in_the_configuration_gets_a_suggestion() {
    let folder = with_file(
        "prometheus.yml",
        "global: {scrape_intervall: 15s}\nscrape_configs:\n- job_name: a\n  static_configs: [{target: ['x:1']}]\n",
    );
    check(
        "check_config",
        &run(folder.path(), &["check", "config", "prometheus.yml"]),
    );
}

#[test]
fn a_failed_unit_test_shows_both_sides() {
    let folder = with_file(
        "rules.yaml",
        "groups:\n- name: g\n  rules:\n  - {alert: Down, expr: up == 0}\n",
    );
    let test = "rule_files: [rules.yaml]\ntests:\n- name: one\n  interval: 1m\n  input_series: [{series: 'up{job=\"a\"}', values: '0 0'}]\n  alert_rule_test:\n  - {eval_time: 1m, alertname: Down, exp_alerts: [{exp_labels: {job: b}}]}\n";
    std::fs::write(folder.path().join("test.yaml"), test).unwrap();
    check(
        "test_rules",
        &run(folder.path(), &["test", "rules", "test.yaml"]),
    );
}

/// A folder with rules, and tests of them that fail in several ways.
fn with_failing_tests() -> tempfile::TempDir {
    let folder = with_file(
        "rules.yaml",
        "groups:
- name: g
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: page}
    annotations: {summary: '{{ $labels.instance }} is down'}
  - alert: NobodyHome
    expr: absent(up)
",
    );
    let test = "rule_files: [rules.yaml]
tests:
- name: an instance goes down
  interval: 1m
  input_series:
  - {series: 'up{job=\"api\", instance=\"a:1\"}', values: '1 0x9'}
  - {series: 'up{job=\"api\", instance=\"b:1\"}', values: '0x4'}
  alert_rule_test:
  - eval_time: 9m
    alertname: Down
    exp_alerts:
    # the first to go
    - exp_labels:
        job: api
        instance: a:1   # as scraped
        severity: warning
      exp_annotations:
        summary: 'a:1 is down'
    - exp_labels: {job: db, instance: c:1, severity: page}
  promql_expr_test:
  - expr: job:up:sum
    eval_time: 9m
    exp_samples:
    - labels: 'job:up:sum{job=\"api\"}'
      value: 1
";
    std::fs::write(folder.path().join("test.yaml"), test).unwrap();
    folder
}

#[test]
fn failed_tests_show_the_nearest_match_first_and_what_nobody_tests() {
    let folder = with_failing_tests();
    let args = ["test", "rules", "--coverage", "test.yaml"];
    check("test_rules_coverage", &run(folder.path(), &args));
}

#[test]
fn junit_has_promtools_shape() {
    let folder = with_failing_tests();
    let args = [
        "test",
        "rules",
        "--junit",
        "out.xml",
        "test.yaml",
        "gone.yaml",
    ];
    run(folder.path(), &args);
    let text = std::fs::read_to_string(folder.path().join("out.xml")).unwrap();
    let mut parts = text.split("timestamp=\"");
    let mut shown = parts.next().unwrap().to_owned();
    for part in parts {
        shown += "timestamp=\"TIME";
        shown += &part[part.find('"').unwrap()..];
    }
    check("test_rules_junit", &shown);
}

#[test]
fn an_update_is_shown_before_it_is_written() {
    let folder = with_failing_tests();
    let before = std::fs::read_to_string(folder.path().join("test.yaml")).unwrap();
    let asked = run(folder.path(), &["test", "rules", "--update", "test.yaml"]);
    assert!(
        asked.starts_with("exit 1") && asked.contains("add --yes"),
        "{asked}"
    );
    assert_eq!(
        std::fs::read_to_string(folder.path().join("test.yaml")).unwrap(),
        before
    );
    let args = ["test", "rules", "--update", "--yes", "test.yaml"];
    check("test_rules_update", &run(folder.path(), &args));
    let again = run(folder.path(), &["test", "rules", "test.yaml"]);
    assert!(again.starts_with("exit 0"), "{again}");
}

/// A rule file with one mistake, checked: the output alone must be enough to mend it.
fn mistake(name: &str, text: &str) {
    let folder = with_file("rules.yaml", text);
    let out = run(folder.path(), &["check", "rules", "rules.yaml"]);
    assert!(out.starts_with("exit 1"), "{out}");
    check(name, &out);
}

#[test]
fn a_missing_bracket_in_a_block_scalar_can_be_mended() {
    mistake(
        "mistake_bracket",
        "groups:\n- name: api\n  rules:\n  - alert: ErrorsHigh\n    expr: |\n      sum by (job) (rate(errors_total[5m])\n        / sum by (job) (rate(requests_total[5m]))\n        > 0.05\n    for: 5m\n",
    );
}

#[test]
fn a_bad_regular_expression_can_be_mended() {
    mistake(
        "mistake_regex",
        "groups:\n- name: api\n  rules:\n  - alert: Down\n    expr: up{instance=~\"node-(1|2\"} == 0\n",
    );
}

#[test]
fn a_tab_can_be_mended() {
    mistake(
        "mistake_tab",
        "groups:\n- name: api\n  rules:\n  - alert: Down\n\t  expr: up == 0\n",
    );
}

#[test]
fn a_duplicate_key_can_be_mended() {
    mistake(
        "mistake_duplicate_key",
        "groups:\n- name: api\n  rules:\n  - alert: Down\n    expr: up == 0\n    labels:\n      severity: page\n      team: db\n      severity: warning\n",
    );
}

#[test]
fn a_misspelt_metric_can_be_mended() {
    let text = "groups:\n- name: api\n  rules:\n  - record: job:requests:rate5m\n    expr: sum by (job) (rate(http_requests_total[5m]))\n  - record: job:errors:rate5m\n    expr: sum by (job) (rate(http_requests_total{code=~\"5..\"}[5m]))\n  - record: job:request_size:rate5m\n    expr: sum by (job) (rate(http_requests_total{code=\"200\"}[5m]))\n  - alert: ErrorsHigh\n    expr: job:erors:rate5m / job:requests:rate5m > 0.05\n    for: 5m\n    labels: {severity: page}\n    annotations: {summary: Many errors}\n  - alert: NoTraffic\n    expr: sum by (job) (rate(http_request_total[5m])) < 1\n    for: 5m\n    labels: {severity: page}\n    annotations: {summary: No traffic}\n";
    let folder = with_file("rules.yaml", text);
    let args = [
        "check",
        "rules",
        "--lint=all",
        "--fail-on=warning",
        "rules.yaml",
    ];
    check("mistake_metric", &run(folder.path(), &args));
}

#[test]
fn kubernetes_objects_are_checked_at_their_places() {
    let text = "---\n# Source: chart/templates/service.yaml\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n---\n# Source: chart/templates/rules.yaml\napiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: node\n  namespace: monitoring\nspec:\n  groups:\n  - name: g\n    rules:\n    - alert: A\n      expr: |\n        sum(up)\n          > foo bar\n";
    let folder = with_file("helm.yaml", text);
    check(
        "check_kubernetes",
        &run(folder.path(), &["check", "rules", "helm.yaml"]),
    );
}

#[test]
fn folders_are_walked_and_what_holds_no_rules_is_passed_over() {
    let folder = with_file(
        "a.yaml",
        "groups:\n- name: g\n  rules:\n  - {record: a, expr: up}\n",
    );
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("sub/b.yml", "groups: []\n");
    write("sub/b_test.yml", "rule_files: [b.yml]\ntests: []\n");
    write("sub/notes.txt", "not looked at");
    check(
        "check_folder",
        &run(folder.path(), &["check", "rules", "."]),
    );
}

#[test]
fn explain_shows_the_page_of_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    check("explain", &run(folder.path(), &["explain", "W001"]));
    let wrong = run(folder.path(), &["explain", "duplicate-rule"]);
    assert!(wrong.contains("did you mean duplicate-rules?"), "{wrong}");
}

/// Runs git in a folder, as somebody.
fn git(folder: &Path, args: &[&str]) {
    let who = [
        "-c",
        "user.name=x",
        "-c",
        "user.email=x@x",
        "-c",
        "commit.gpgsign=false",
    ];
    let out = Command::new("git")
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .args(who)
        .args(args)
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
}

#[test]
fn since_shows_what_a_change_does_and_checks_nothing_else() {
    if Command::new("git").arg("--version").output().is_err() {
        return;
    }
    let old = "groups:\n- name: g\n  rules:\n  - {record: 'a:b', expr: sum(up)}\n  - {alert: Down, expr: up == 0, for: 5m, labels: {severity: page}}\n";
    let folder = with_file("a.yaml", old);
    let path = folder.path();
    let write = |name: &str, text: &str| std::fs::write(path.join(name), text).unwrap();
    // Its mistakes are old.
    write(
        "untouched.yaml",
        "groups:\n- name: g\n  rules: [{alert: X, expr: 'up =='}]\n",
    );
    let routes = |matcher: &str| {
        format!(
            "route:\n  receiver: all\n  routes: [{{receiver: pager, matchers: [{matcher}]}}]\nreceivers: [{{name: all}}, {{name: pager}}]\n"
        )
    };
    write("am.yml", &routes("severity=~\"page|critical\""));
    git(path, &["init", "-q"]);
    git(path, &["add", "."]);
    git(path, &["commit", "-qm", "old"]);
    write(
        "a.yaml",
        "groups:\n- name: g\n  rules:\n  - {alert: Down, expr: up == 0, for: 1m, labels: {severity: page}}\n  - {alert: New, expr: 'a:b > 1'}\n",
    );
    write("am.yml", &routes("severity=critical"));
    let args = [
        "check",
        "rules",
        "--since",
        "HEAD",
        "--alertmanager.config.file",
        "am.yml",
        ".",
    ];
    check("check_since", &run(path, &args));
    let all = run(path, &["check", "rules", "--since=HEAD"]);
    assert!(
        all.starts_with("exit 0") && !all.contains("untouched"),
        "{all}"
    );
    let wrong = run(path, &["check", "rules", "--since=nowhere"]);
    assert!(wrong.contains("git knows no such revision"), "{wrong}");
    let elsewhere = tempfile::tempdir().unwrap();
    let wrong = run(elsewhere.path(), &["check", "rules", "--since=HEAD"]);
    assert!(wrong.contains("belongs to no git repository"), "{wrong}");
}

//! What the program says, word for word. `INSTA_UPDATE=always cargo test --test golden` takes new words over.
#![allow(clippy::unwrap_used, reason = "a broken set-up must stop the test")]
#![allow(clippy::disallowed_methods, reason = "real files on the real disk")]

use std::path::Path;
use std::process::Command;

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

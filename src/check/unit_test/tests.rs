use super::coverage::Coverage;
use super::*;
use crate::config::MemoryFiles;

const RULES: &str = "groups:
- name: g
  rules:
  - {record: 'a:b', expr: sum(up)}
  - {alert: Down, expr: up == 0, for: 1m}
  - {alert: Other, expr: other > 1}
";

fn files(tests: &str) -> MemoryFiles {
    let mut files = MemoryFiles::new();
    files.insert("d/r.yml", RULES);
    files.insert("d/t.yml", format!("rule_files: [r.yml]\ntests:\n{tests}"));
    files
}

const TESTS: &str = "- name: goes down
  input_series: [{series: 'up{job=\"a\"}', values: '1 0 0 0 1 1'}]
  alert_rule_test:
  - {eval_time: 1m, alertname: Down}
  - {eval_time: 3m, alertname: Down, exp_alerts: [{exp_labels: {job: a}}]}
- name: stays
  input_series: [{series: 'up{job=\"a\"}', values: '1x5'}]
  promql_expr_test:
  - {eval_time: 5m, expr: 'a:b', exp_samples: [{labels: 'a:b', value: 1}]}
";

#[test]
fn coverage_tells_what_no_test_saw() {
    let reports = vec![test_rules(
        Path::new("d/t.yml"),
        &files(TESTS),
        &TestOptions::default(),
    )];
    assert!(reports[0].passed(), "{:?}", reports[0]);
    let coverage = Coverage::of(&reports);
    assert_eq!(coverage.rule_counts(), (2, 3));
    let missing: Vec<String> = coverage
        .rules
        .iter()
        .flat_map(|rule| {
            let missing = rule.branches().into_iter().filter(|branch| !branch.seen);
            missing.map(|branch| format!("{} {}", rule.name, branch.name))
        })
        .collect();
    assert_eq!(
        missing,
        [
            "Down is resolved",
            "Other fires",
            "Other is silent",
            "Other is resolved"
        ]
    );
}

#[test]
fn a_rule_file_that_is_named_twice_is_one() {
    let mut files = files(TESTS);
    let twice = format!("rule_files: [r.yml, ./r.yml, 'r*.yml']\ntests:\n{TESTS}");
    files.insert("d/t.yml", twice);
    let report = test_rules(Path::new("d/t.yml"), &files, &TestOptions::default());
    assert!(report.passed(), "{report:?}");
}

#[test]
fn groups_are_reported_in_order_however_many_workers_play_them() {
    let mut tests = String::new();
    for index in 0..20 {
        tests += &TESTS.replace("goes down", &format!("number {index}"));
    }
    let files = files(&tests);
    let options = TestOptions::default();
    let suite = Suite::load(&["d/t.yml", "d/gone.yml", "d/t.yml"], &files, &options);
    assert_eq!(suite.group_count(), 80);
    let heard = AtomicUsize::new(0);
    let reports = suite.play(4, &|progress| {
        assert!(progress.done <= progress.total);
        heard.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(heard.into_inner(), 80);
    assert_eq!(reports.len(), 3);
    assert_eq!(reports[0].groups[38].name, "number 19");
    assert!(!reports[1].passed() && reports[1].groups.is_empty());
    assert!(reports[2].passed());
}

#[test]
fn a_mistake_in_a_rule_file_has_its_place() {
    let mut files = files(TESTS);
    files.insert(
        "d/r.yml",
        "groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'up =='}\n",
    );
    let report = test_rules(Path::new("d/t.yml"), &files, &TestOptions::default());
    assert!(
        report.errors[0].to_string().starts_with("d/r.yml:4:"),
        "{:?}",
        report.errors
    );
    assert!(report.groups.is_empty());
}

/// What `--update` makes of these tests, and how many failures are left.
fn update_of(tests: &str) -> (String, usize) {
    let files = files(tests);
    let text = String::from_utf8(files.read(Path::new("d/t.yml")).unwrap()).unwrap();
    let report = test_rules(Path::new("d/t.yml"), &files, &TestOptions::default());
    let (new, left) = update::updated(&text, &report);
    let mut again = MemoryFiles::new();
    again.insert("d/r.yml", RULES);
    again.insert("d/t.yml", new.clone());
    let report = test_rules(Path::new("d/t.yml"), &again, &TestOptions::default());
    let failures: usize = report.groups.iter().map(|group| group.failures.len()).sum();
    assert_eq!(failures, left, "{new}\n{report:#?}");
    let head = "rule_files: [r.yml]\ntests:\n";
    (new.strip_prefix(head).unwrap().to_owned(), left)
}

const SERIES: &str = "- input_series: [{series: 'up{job=\"a\"}', values: '0x9'}, {series: 'up{job=\"b\"}', values: '0x9'}]\n";

#[test]
fn an_update_keeps_comments_and_layout() {
    let before = format!(
        "{SERIES}  alert_rule_test:  # what must fire
    - eval_time: 5m
      alertname: Down
      exp_alerts:
        # the first one
        - exp_labels:
            job: \"z\"   # wrong
        # goes away
        - exp_labels: {{job: q, gone: x}}
    - eval_time: 6m   # nothing expected
      alertname: Down
  promql_expr_test:
    - expr: sum(up)
      eval_time: 1m
      exp_samples:
        - labels: '{{}}'
          value: 7  # seven
"
    );
    let after = format!(
        "{SERIES}  alert_rule_test:  # what must fire
    - eval_time: 5m
      alertname: Down
      exp_alerts:
        # the first one
        - exp_labels:
            job: \"a\"   # wrong
        # goes away
        - exp_labels: {{job: b}}
    - eval_time: 6m   # nothing expected
      alertname: Down
      exp_alerts:
      - exp_labels:
          job: a
      - exp_labels:
          job: b
  promql_expr_test:
    - expr: sum(up)
      eval_time: 1m
      exp_samples:
        - labels: '{{}}'
          value: 0  # seven
"
    );
    assert_eq!(update_of(&before), (after, 0));
}

#[test]
fn an_update_writes_flow_style_where_it_finds_it() {
    let before = format!(
        "{SERIES}  alert_rule_test:\n  - {{eval_time: 5m, alertname: Down}}\n  - {{eval_time: 5m, alertname: Other, exp_alerts: [{{}}]}}\n  promql_expr_test: [{{expr: up, eval_time: 1m, exp_samples: []}}, {{expr: up + on () up}}]\n"
    );
    let after = format!(
        "{SERIES}  alert_rule_test:\n  - {{eval_time: 5m, alertname: Down, exp_alerts: [{{exp_labels: {{job: a}}}}, {{exp_labels: {{job: b}}}}]}}\n  - {{eval_time: 5m, alertname: Other, exp_alerts: []}}\n  promql_expr_test: [{{expr: up, eval_time: 1m, exp_samples: [{{labels: 'up{{job=\"a\"}}', value: 0}}, {{labels: 'up{{job=\"b\"}}', value: 0}}]}}, {{expr: up + on () up}}]\n"
    );
    assert_eq!(update_of(&before), (after, 1));
}

#[test]
fn an_update_adds_and_removes_items_of_a_block_list() {
    let list = |items: &str| {
        format!(
            "{SERIES}  promql_expr_test:\n  - expr: up\n    exp_samples:\n{items}\n    eval_time: 1m\n"
        )
    };
    let a = "    - labels: 'up{job=\"a\"}'\n      value: 0";
    let b = "    - labels: 'up{job=\"b\"}'\n      value: 0";
    let stranger = "    - labels: 'other{x=\"y\"}'\n      value: 3";
    let both = list(&format!("{a}\n{b}"));
    assert_eq!(update_of(&list(a)), (both.clone(), 0));
    assert_eq!(
        update_of(&list(&format!("{a}\n{b}\n{stranger}"))),
        (both.clone(), 0)
    );
    assert_eq!(
        update_of(&list(&format!("{stranger}\n{a}\n{b}"))),
        (both.clone(), 0)
    );
    assert_eq!(
        update_of(&list(&format!("{a}\n{stranger}\n{b}"))),
        (both, 0)
    );
}

#[test]
fn an_update_changes_items_in_braces_wherever_the_dashes_stand() {
    for pad in ["    ", "      "] {
        let list = |value: u32| {
            format!(
                "{SERIES}  promql_expr_test:\n  - expr: sum(up)\n    eval_time: 1m\n    exp_samples:\n{pad}- {{value: {value}}} # all\n"
            )
        };
        let (after, left) = update_of(&list(7));
        assert_eq!((after, left), (list(0), 0), "{pad:?}");
    }
}

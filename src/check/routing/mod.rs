//! `routes test`: who would hear of an alert, and why (not)? Cases for a laptop or for CI.
//!
//! [`parse`] reads a file of cases, [`play`] puts a case through the router itself, on a disk in memory and at
//! the case's time, so that the answer is what would happen.

mod file;
mod play;

pub use file::{Case, CaseFile, Expectation, ExpectedGroup, parse};
pub use play::{CaseReport, RouteReport, play};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerting::matchers::Syntax;
    use crate::config::alertmanager;

    const CONFIG: &str = r#"
route:
  receiver: everyone
  group_by: [alertname]
  routes:
  - matchers: ['team="db"']
    receiver: dba
    continue: true
    routes:
    - matchers: ['severity="page"']
      receiver: dba-page
      group_by: ['...']
      mute_time_intervals: [night]
  - matchers: ['team=~"db|web"']
    receiver: tickets
inhibit_rules:
- source_matchers: ['alertname="ClusterDown"']
  target_matchers: ['severity="page"']
  equal: [cluster]
time_intervals:
- name: night
  time_intervals: [{times: [{start_time: '22:00', end_time: '24:00'}]}]
receivers:
- {name: everyone}
- {name: dba, webhook_configs: [{url: 'http://x/'}]}
- {name: dba-page, webhook_configs: [{url: 'http://x/'}]}
- {name: tickets, webhook_configs: [{url: 'http://x/'}]}
"#;

    fn reports(cases: &str) -> Vec<CaseReport> {
        let config = alertmanager::parse(CONFIG, Syntax::default()).unwrap();
        let file = parse(cases, Syntax::default()).unwrap();
        let cases = file.cases.iter();
        cases.map(|case| play(&config, case).unwrap()).collect()
    }

    #[test]
    fn a_case_tells_receivers_groups_and_whether_they_hear() {
        let found = reports(
            r"
tests:
- name: by day
  time: 2026-11-21T12:00:00Z
  labels: {alertname: Down, team: db, severity: page, cluster: a}
  expect:
    receivers: [dba-page, tickets]
    notified: [dba-page, tickets]
    groups: [{receiver: tickets, labels: {alertname: Down}}]
- name: by night
  time: 2026-11-21T23:00:00Z
  labels: {alertname: Down, team: db, severity: page, cluster: a}
  expect: {receivers: [dba-page, tickets], notified: [tickets], muted: [night]}
",
        );
        assert!(
            found.iter().all(|report| report.failures.is_empty()),
            "{found:#?}"
        );
        let page = &found[0].routes[0];
        assert_eq!(page.receiver, "dba-page");
        assert_eq!(page.group_labels.len(), 4);
        assert!(page.hears);
        let muted = &found[1].routes[0];
        assert!(!muted.hears);
        assert_eq!(muted.reasons, ["the route is muted in night"]);
    }

    #[test]
    fn other_alerts_inhibit_and_silences_mute() {
        let found = reports(
            r"
tests:
- name: inhibited
  time: 2026-11-21T12:00:00Z
  labels: {alertname: Down, team: db, severity: page, cluster: a}
  active: [{alertname: ClusterDown, cluster: a}]
  expect: {notified: [], inhibited: true, silenced: false}
- name: another cluster
  time: 2026-11-21T12:00:00Z
  labels: {alertname: Down, team: db, severity: page, cluster: a}
  active: [{alertname: ClusterDown, cluster: b}]
  expect: {inhibited: false}
- name: silenced
  time: 2026-11-21T12:00:00Z
  labels: {alertname: Slow, team: web}
  silences:
  - {matchers: ['team=web'], comment: release, created_by: me}
  - {matchers: ['team=web'], starts_at: 2026-11-22T00:00:00Z}
  expect: {receivers: [tickets], notified: [], silenced: true}
",
        );
        assert!(
            found.iter().all(|report| report.failures.is_empty()),
            "{found:#?}"
        );
        let reason = &found[0].routes[0].reasons[0];
        assert!(
            reason.contains(r#"muted by {alertname="ClusterDown", cluster="a"}"#),
            "{reason}"
        );
        let reason = &found[2].routes[0].reasons[0];
        assert!(reason.contains("me: release"), "{reason}");
    }

    #[test]
    fn what_is_not_as_expected_is_told() {
        let found = reports(
            r"
tests:
- name: wrong
  time: 2026-11-21T12:00:00Z
  labels: {alertname: Slow, team: web}
  expect: {receivers: [dba], notified: [], silenced: true, muted: [night], groups: [{receiver: tickets, labels: {}}]}
",
        );
        assert_eq!(found[0].failures.len(), 5, "{:#?}", found[0].failures);
        assert_eq!(
            found[0].failures[0],
            "receivers: expected [dba], got [tickets]"
        );
    }

    #[test]
    fn mistakes_in_a_file_are_told_with_their_places() {
        let problems = parse("tests:\n- labels: {}\n- {labels: {a: b}, time: noon}\n- {labels: {a: b}, expects: {}}\n", Syntax::default())
            .expect_err("wrong");
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "2:3: a case needs labels",
                "3:26: \"noon\" is no RFC 3339 time",
                "4:20: field expects not found in type routes.Case"
            ]
        );
        assert_eq!(problems[2].hint.as_deref(), Some("did you mean `expect`?"));
    }

    #[test]
    fn a_time_is_needed_where_intervals_decide() {
        let config = alertmanager::parse(CONFIG, Syntax::default()).unwrap();
        let file = parse("tests: [{labels: {a: b}}]", Syntax::default()).unwrap();
        assert!(play(&config, &file.cases[0]).is_err());
    }
}

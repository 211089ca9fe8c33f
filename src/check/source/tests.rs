use super::*;
use crate::alerting::matchers::Syntax;

fn found(text: &str) -> RuleSource {
    rule_source("f.yml", text.as_bytes(), &FileOptions::default())
}

fn shown(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

const HELM: &str = "---
# Source: chart/templates/service.yaml
apiVersion: v1
kind: Service
metadata: {name: s}
---
# Source: chart/templates/rules.yaml
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: node
  namespace: monitoring
spec:
  groups:
  - name: g
    partial_response_strategy: warn
    rules:
    - alert: A
      expr: |
        sum(up)
          > foo bar
    - alert: B
      expr: up == 0
---
# nothing
";

#[test]
fn objects_that_helm_prints_keep_their_places_and_sources() {
    let found = found(HELM);
    assert_eq!((found.rule_count(), found.others), (1, 1));
    let shown = shown(&found.findings);
    assert_eq!(shown.len(), 1);
    assert!(shown[0].starts_with("f.yml:21:17: "), "{shown:?}");
    let within = found.findings[0].within.as_ref().unwrap();
    assert_eq!((within.line, within.column), (2, 9));
    let origin = &found.origins[0];
    assert_eq!(
        origin.name,
        "PrometheusRule monitoring/node (from chart/templates/rules.yaml)"
    );
    let place = found.findings[0].place.as_ref().unwrap();
    assert!(origin.bytes.contains(&place.bytes.start));
}

#[test]
fn lists_hold_objects_in_yaml_and_in_json() {
    let item = r#"{"apiVersion":"monitoring.coreos.com/v1","kind":"PrometheusRule","metadata":{"name":"x"},"spec":{"groups":[{"name":"g","rules":[{"record":"a","expr":"up"}]}]}}"#;
    let list = format!(r#"{{"apiVersion":"v1","kind":"List","items":[{item},{item}]}}"#);
    assert_eq!(found(&list).rule_count(), 2);
    let bare = item.replace(
        r#""apiVersion":"monitoring.coreos.com/v1","kind":"PrometheusRule","#,
        "",
    );
    let list = format!(
        r#"{{"apiVersion":"monitoring.coreos.com/v1","kind":"PrometheusRuleList","items":[{bare}]}}"#
    );
    assert_eq!(found(&list).rule_count(), 1);
    let other = item.replace("coreos.com/v1\"", "coreos.com/v9\"");
    assert!(shown(&found(&other).findings)[0].contains("PrometheusRule has no version"));
}

#[test]
fn documents_that_prometheus_would_not_read_are_told_of() {
    let found = found("groups:\n- name: a\n---\ngroups:\n- name: b\n");
    assert_eq!(found.files.len(), 1);
    assert_eq!(found.findings.len(), 1);
    assert_eq!(found.findings[0].severity, crate::check::Severity::Warning);
    assert!(self::found("---\ngroups: []\n---\n").findings.is_empty());
}

#[test]
fn plain_files_with_kubernetes_words_stay_plain() {
    let text = "groups:\n- name: a\n  rules:\n  - {record: a, expr: 'kube{kind=\"x\", apiVersion=\"y\"}'}\n";
    assert_eq!(found(text).rule_count(), 1);
    // Even when they are broken.
    assert!(shown(&found(&format!("{text}\t- x\n")).findings)[0].contains("yaml"));
}

const ROUTES: &str = "apiVersion: monitoring.coreos.com/v1alpha1
kind: AlertmanagerConfig
metadata: {name: team, namespace: db}
spec:
  route:
    receiver: chat
    groupBy: [job]
    groupWait: 30s
    matchers: [{name: severity, value: page|warn, matchType: =~}]
    routes:
    - {receiver: pager, muteTimeIntervals: [night], matchers: [{name: a, value: b, regex: true}]}
  receivers:
  - name: chat
    slackConfigs:
    - apiURL: {name: secrets, key: url}
      channel: '#x'
      sendResolved: true
      titleLink: x
      fields: [{title: t, value: v, short: true}]
  - name: pager
    pagerdutyConfigs:
    - routingKey: {name: secrets, key: pd, optional: false}
      details: [{key: a, value: b}]
      pagerDutyLinkConfigs: [{href: https://x, alt: x}]
      httpConfig:
        tlsConfig: {ca: {configMap: {name: c, key: k}}}
        authorization: {type: Bearer, credentials: {name: c, key: k}}
    emailConfigs:
    - to: a@b.c
      headers: [{key: Subject, value: s}]
      requireTLS: false
  inhibitRules:
  - sourceMatch: [{name: a, value: b, matchType: '!='}]
    targetMatch: [{name: a, value: c}]
    equal: [job]
  muteTimeIntervals:
  - name: night
    timeIntervals:
    - times: [{startTime: '00:00', endTime: '06:00'}]
      weekdays: [monday:friday]
      daysOfMonth: [{start: 1, end: 5}]
      months: [january]
";

fn router(text: &str) -> Vec<String> {
    shown(&router_source("f.yml", text.as_bytes(), Syntax::default()).0)
}

#[test]
fn alertmanager_configs_of_the_operator_are_checked() {
    assert_eq!(router(ROUTES), [""; 0]);
    let of = |from: &str, to: &str| {
        let text = ROUTES.replace(from, to);
        assert_ne!(text, ROUTES, "{from}");
        router(&text)
    };
    assert_eq!(
        of("titleLink", "titelLink"),
        ["f.yml:18:7: field titelLink not found in type AlertmanagerConfig"]
    );
    assert!(of("receiver: pager", "receiver: pagr")[0].contains("undefined receiver \"pagr\""));
    assert!(of("[night]", "[nigth]")[0].contains("undefined time interval \"nigth\""));
    assert!(of("matchType: =~", "matchType: ~")[0].contains("matchType must be"));
    assert!(
        of("page|warn", "(page")[0].starts_with("f.yml:9:16: "),
        "{:?}",
        of("page|warn", "(page")
    );
    assert!(of("groupWait: 30s", "groupWait: 30x")[0].starts_with("f.yml:8:16: "));
    assert!(of("groupWait", "group_wait")[0].contains("field group_wait not found"));
    assert!(of("sendResolved: true", "sendResolved: maybe")[0].starts_with("f.yml:17:"));
    assert!(of("  inhibitRules", "  inhibitrules")[0].contains("field inhibitrules not found"));
    assert!(of("v1alpha1", "v2")[0].contains("AlertmanagerConfig has no version"));
}

#[test]
fn files_of_a_folder_that_are_well_known_are_no_rules() {
    for text in [
        "tests: []\nrule_files: [a]\n",
        "route: {receiver: a}\n",
        "scrape_configs: []\n",
        "apiVersion: v1\nkind: Service\n",
    ] {
        assert!(is_something_else(text.as_bytes()), "{text}");
    }
    for text in ["groups: []\n", HELM, "a: [\n", "whatever: 1\n"] {
        assert!(!is_something_else(text.as_bytes()), "{text}");
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_text_can_hurt(text in "(apiVersion: monitoring.coreos.com/v1(alpha1)?\nkind: (PrometheusRule|AlertmanagerConfig|List)\n)?(spec:\n|items:\n)?[ \\n\\-a-zA-Z:{}\\[\\],'|>&*#0-9]{0,80}") {
        found(&text);
        router(&text);
        is_something_else(text.as_bytes());
    }
}

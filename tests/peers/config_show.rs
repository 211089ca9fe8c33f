//! The configuration that the API shows, beside the one that a real Alertmanager shows.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Daemon, Process, free_port, peer, request, wait_for};

/// Every section and every kind of receiver, most of it left to the defaults.
const ALL: &str = r#"
global:
  smtp_smarthost: 'h:25'
  smtp_from: a@x
  slack_api_url: http://s/x
  http_config: {follow_redirects: false}
templates: ['*.tmpl']
route:
  receiver: a
  group_by: [alertname]
  routes:
  - {match: {a: b}, match_re: {c: 'd.*'}, continue: true, receiver: b, group_wait: 10s, mute_time_intervals: [t]}
  - {matchers: ['x=y', 'z=~"q|r"'], group_by: ['...'], routes: [{receiver: b, active_time_intervals: [t], repeat_interval: 90m}]}
inhibit_rules:
- {source_match: {a: b}, target_match_re: {c: d}, equal: [e]}
- {source_matchers: [a=b], target_matchers: ['c!=d']}
time_intervals:
- name: t
  time_intervals: [{times: [{start_time: '08:00', end_time: '24:00'}], weekdays: ['monday:friday', sunday], days_of_month: ['1:5','-3:-1'], months: ['january:march', '12'], years: ['2020:2030'], location: Europe/Berlin}]
receivers:
- name: a
  webhook_configs: [{url: http://x/y, max_alerts: 3}, {url_file: /x/y, send_resolved: false, timeout: 5s}]
  slack_configs: [{channel: c, fields: [{title: t, value: v, short: false}], actions: [{type: button, text: t, url: u}]}, {channel: d, short_fields: true, title: ''}]
  email_configs: [{to: b@x, headers: {Subject: s}}, {to: c@x, require_tls: false, text: "two\nlines\n"}]
  pagerduty_configs: [{routing_key: k, details: {a: b}, images: [{src: s}]}]
- name: b
  opsgenie_configs: [{api_key: k, responders: [{name: n, type: team}]}]
  telegram_configs: [{bot_token: t, chat_id: 4}]
  pushover_configs: [{user_key: u, token: t, retry: 2m}]
  victorops_configs: [{api_key: k, routing_key: r, custom_fields: {b: c, a: d}}]
  wechat_configs: [{api_secret: s, corp_id: c}]
  sns_configs: [{topic_arn: 'arn:aws:sns:us-east-1:1:x', sigv4: {region: r, access_key: a, secret_key: s}}]
  discord_configs: [{webhook_url: http://d/x}]
  webex_configs: [{room_id: r, http_config: {authorization: {credentials: c}}}]
  msteams_configs: [{webhook_url: http://m/x}]
  msteamsv2_configs: [{webhook_url: http://m/x}]
  jira_configs: [{api_url: http://j/x, project: P, issue_type: B}]
  rocketchat_configs: [{token: t, token_id: i, channel: c}]
  mattermost_configs: [{webhook_url: http://m/x}]
  incidentio_configs: [{url: http://i/x, alert_source_token: t}]
"#;

const PLAIN: &str = "
global: {resolve_timeout: 90s, opsgenie_api_key: k, smtp_require_tls: false}
route: {receiver: r, group_wait: 1h30m, group_interval: 2d}
receivers:
- name: r
  webhook_configs:
  - url: 'http://u:p@x/y'
    http_config: {basic_auth: {username: u, password: p}, tls_config: {server_name: x, min_version: TLS13}, proxy_url: 'http://u:p@proxy:1/'}
  opsgenie_configs: [{}]
- name: empty
";

/// What the API says the configuration is.
fn shown(port: u16) -> Option<String> {
    let (status, text) = request(port, "GET", "/api/v2/status", "")?;
    let answer: Value = serde_json::from_str(&text).ok()?;
    let config = answer["config"]["original"].as_str()?;
    (status == 200).then(|| config.to_owned())
}

fn compare(alertmanager: &Path, text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let file = folder.join("alertmanager.yml");
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.join("prometheus.yml"), "global: {}\n").unwrap();
    let theirs = free_port();
    let args = [
        format!("--config.file={}", file.display()),
        format!("--storage.path={}", folder.join("am").display()),
        format!("--web.listen-address=127.0.0.1:{theirs}"),
        "--cluster.listen-address=".to_owned(),
    ];
    let _process = Process::start(alertmanager, &args, &folder.join("am.log"));
    wait_for("Alertmanager", Duration::from_secs(30), || {
        shown(theirs).is_some()
    });
    let flag = format!("--alertmanager.config.file={}", file.display());
    let daemon = Daemon::start(folder, free_port(), &[&flag]);
    assert_eq!(shown(daemon.port), shown(theirs));
}

#[test]
fn the_configuration_is_shown_as_alertmanager_shows_it() {
    let Some(alertmanager) = peer("prometheus-alertmanager") else {
        return;
    };
    compare(&alertmanager, ALL);
    compare(&alertmanager, PLAIN);
}

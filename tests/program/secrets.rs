//! A marked secret in every field that holds one: the mark never shows up in an answer, a log line, an error,
//! a metric, a decision, a dead letter, or what the verbs print, though each receiver's server sends back
//! everything that it was sent.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Daemon, free_port, request, wait_for, watchfire};

/// What every secret is made of.
const MARK: &str = "PLANTED";

/// A server that answers 400 with what it was sent; it speaks enough SMTP to do the same.
fn echo(mail: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                if mail {
                    echo_mail(stream)
                } else {
                    echo_http(stream)
                }
            });
        }
    });
    port
}

fn echo_http(stream: TcpStream) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let (mut sent, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        sent += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    sent += &String::from_utf8_lossy(&body);
    let text = Value::from(sent.as_str()).to_string();
    let answer = format!(
        r#"{{"ok":false,"success":false,"error":{text},"description":{text},"message":{text},"errors":[{text}],"errcode":1,"errmsg":{text},"sent":{text}}}"#
    );
    let head = format!(
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    writer.write_all(head.as_bytes()).ok()?;
    writer.write_all(answer.as_bytes()).ok()
}

fn echo_mail(stream: TcpStream) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    writer.write_all(b"220 mail\r\n").ok()?;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let reply = if line.starts_with("EHLO") {
            "250-mail\r\n250 AUTH PLAIN\r\n".to_owned()
        } else {
            format!("535 you said {line}")
        };
        writer.write_all(reply.as_bytes()).ok()?;
    }
}

/// Every field that holds a secret, each with one of its own.
fn config(http: &str, smtp: &str, folder: &Path) -> String {
    let file = |name: &str, content: &str| {
        let path = folder.join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    };
    let url_file = file("url", &format!("http://{http}/PLANTED-urlfile\n"));
    let key_file = file("key", "PLANTED-keyfile\n");
    let password_file = file("password", "PLANTED-passwordfile\n");
    let text = format!(
        r"
global:
  smtp_smarthost: '{smtp}'
  smtp_from: a@x.org
  smtp_require_tls: false
  smtp_auth_username: u
  smtp_auth_password: PLANTED-smtp
  smtp_auth_secret: PLANTED-smtpsecret
  slack_api_url: http://{http}/PLANTED-slack
  opsgenie_api_key: PLANTED-opsgenie
  opsgenie_api_url: http://{http}/
  wechat_api_secret: PLANTED-wechat
  wechat_api_corp_id: c
  wechat_api_url: http://{http}/wechat/
  victorops_api_key: PLANTED-victorops
  victorops_api_url: http://{http}/vo/
  telegram_bot_token: PLANTED-telegram
  telegram_api_url: http://{http}
  rocketchat_token: PLANTED-rocket
  rocketchat_token_id: PLANTED-rocketid
  rocketchat_api_url: http://{http}/rc/
  mattermost_webhook_url: http://{http}/PLANTED-mattermost
  http_config: {{basic_auth: {{username: u, password: PLANTED-basic}}, proxy_url: ''}}
route:
  receiver: webhook
  group_by: [alertname]
  group_wait: 0s
  routes:
ROUTES
receivers:
- name: webhook
  webhook_configs: [{{url: 'http://{http}/PLANTED-path?key=PLANTED-query', http_config: {{authorization: {{credentials: PLANTED-bearer}}}}}}]
- name: webhook2
  webhook_configs: [{{url: 'http://u:PLANTED-user@{http}/x', http_config: {{http_headers: {{X-Key: {{secrets: [PLANTED-header]}}}}}}}}]
- name: webhook3
  webhook_configs: [{{url_file: '{url_file}', http_config: {{authorization: {{credentials_file: '{key_file}'}}}}}}]
- name: webhook4
  webhook_configs: [{{url: 'http://{http}/oauth', http_config: {{oauth2: {{client_id: i, client_secret: PLANTED-oauth, token_url: 'http://{http}/token'}}}}}}]
- name: webhook5
  webhook_configs: [{{url: 'http://{http}/proxied', http_config: {{proxy_url: 'http://u:PLANTED-proxy@{http}'}}}}]
- name: webhook6
  webhook_configs: [{{url: 'http://{http}/x', http_config: {{basic_auth: {{username: u, password_file: '{password_file}'}}}}}}]
- name: email
  email_configs: [{{to: b@x.org}}]
- name: pagerduty
  pagerduty_configs: [{{routing_key: PLANTED-pd, url: 'http://{http}/pd'}}, {{routing_key_file: '{key_file}', url: 'http://{http}/pd'}}]
- name: opsgenie
  opsgenie_configs: [{{}}]
- name: wechat
  wechat_configs: [{{}}]
- name: slack
  slack_configs: [{{channel: c}}]
- name: slackapp
  slack_configs: [{{channel: c, app_token: PLANTED-app, app_url: 'http://{http}/app'}}]
- name: victorops
  victorops_configs: [{{routing_key: r}}]
- name: pushover
  pushover_configs: [{{user_key: PLANTED-user, token: PLANTED-token, http_config: {{proxy_url: 'http://u:PLANTED-proxy2@{http}'}}}}]
- name: sns
  sns_configs: [{{api_url: 'http://{http}/sns', topic_arn: 'arn:aws:sns:us-east-1:1:x', sigv4: {{region: r, access_key: a, secret_key: PLANTED-aws}}}}]
- name: telegram
  telegram_configs: [{{chat_id: 1}}]
- name: discord
  discord_configs: [{{webhook_url: 'http://{http}/PLANTED-discord'}}]
- name: webex
  webex_configs: [{{api_url: 'http://{http}/webex', room_id: r, http_config: {{authorization: {{credentials: PLANTED-webex}}}}}}]
- name: msteams
  msteams_configs: [{{webhook_url: 'http://{http}/PLANTED-teams'}}]
- name: msteamsv2
  msteamsv2_configs: [{{webhook_url: 'http://{http}/PLANTED-teams2'}}]
- name: incidentio
  incidentio_configs: [{{url: 'http://{http}/incident', alert_source_token: PLANTED-incident}}]
- name: jira
  jira_configs: [{{api_url: 'http://{http}/jira', project: P, issue_type: Bug}}]
- name: rocketchat
  rocketchat_configs: [{{channel: c}}]
- name: mattermost
  mattermost_configs: [{{channel: c}}]
"
    );
    let routes: Vec<String> = names(&text)
        .iter()
        .map(|name| format!("  - {{receiver: {name}, continue: true}}"))
        .collect();
    text.replace("ROUTES", &routes.join("\n"))
}

fn names(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("- name: "))
        .map(str::to_owned)
        .collect()
}

fn decisions(port: u16) -> String {
    let path = "/api/watchfire/v1/decisions?limit=100000";
    request(port, "GET", path, "").unwrap().1
}

fn clean(what: &str, text: &str) {
    let around = text.find(MARK).map(|at| {
        let begin = text.floor_char_boundary(at.saturating_sub(200));
        let end = text.floor_char_boundary(text.len().min(at + 200));
        text[begin..end].to_owned()
    });
    assert_eq!(around, None, "{what}");
}

fn run(args: &[&str]) -> String {
    let out = Command::new(watchfire()).args(args).output().unwrap();
    let text = [out.stdout, out.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

#[test]
fn planted_secrets_are_never_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (http, smtp) = (
        format!("127.0.0.1:{}", echo(false)),
        format!("127.0.0.1:{}", echo(true)),
    );
    let text = config(&http, &smtp, folder);
    let path = folder.join("alertmanager.yml");
    std::fs::write(&path, &text).unwrap();
    std::fs::write(folder.join("prometheus.yml"), "global: {}\n").unwrap();
    let flag = format!("--alertmanager.config.file={}", path.display());
    let daemon = Daemon::start(folder, free_port(), &[&flag, "--log.level=debug"]);
    let port = daemon.port;
    let body = r#"[{"labels":{"alertname":"Planted"}}]"#;
    assert_eq!(
        request(port, "POST", "/api/v2/alerts", body).unwrap().0,
        200
    );
    let names = names(&text);
    wait_for("every receiver's answer", Duration::from_mins(2), || {
        let seen = decisions(port);
        let answer: Value = serde_json::from_str(&seen).unwrap();
        let has = |name: &str| {
            answer["data"].as_array().unwrap().iter().any(|d| {
                d["receiver"] == *name && (d["stage"] == "failed" || d["stage"] == "refused")
            })
        };
        names.iter().all(|name| has(name))
    });
    clean("decisions", &decisions(port));
    for path in [
        "/api/v2/status",
        "/api/v2/receivers",
        "/api/v2/alerts",
        "/api/v2/alerts/groups",
        "/api/v2/silences",
        "/api/watchfire/v1/dead_letters",
        "/api/v1/status/config",
        "/api/v1/status/flags",
        "/api/v1/status/runtimeinfo",
        "/api/v1/alertmanagers",
        "/metrics",
        "/",
        "/config",
        "/status",
        "/debug/pprof/",
        "/debug/pprof/cmdline",
    ] {
        let (_, answer) = request(port, "GET", path, "").unwrap();
        clean(path, &answer);
    }
    let url = format!("--alertmanager.url=http://127.0.0.1:{port}");
    clean("config show", &run(&["config", "show", &url]));
    clean("why", &run(&["why", "Planted", &url]));
    clean("dead-letters", &run(&["dead-letters", &url]));
    clean(
        "check",
        &run(&["check", "alertmanager", &path.display().to_string()]),
    );
    for name in &names {
        let shown = run(&[
            "receivers",
            "test",
            name,
            &format!("--config.file={}", path.display()),
        ]);
        clean(&format!("receivers test {name}"), &shown);
    }
    let log = std::fs::read_to_string(folder.join("watchfire.log")).unwrap();
    assert!(log.contains("400"), "the log tells of failures: {log}");
    clean("the log", &log);
    mistakes(folder);
}

/// What is said about a wrong file shows its lines, but not their secrets.
fn mistakes(folder: &Path) {
    let path = folder.join("wrong.yml");
    let receivers = [
        "pagerduty_configs: [{routing_key: PLANTED1, typo: 1}]",
        "slack_configs: [{api_url: 'PLANTED2 no url', channel: c}]",
        "slack_configs: [{api_url: \"http://x/PLANTED3\\x01\", channel: c}]",
        "webhook_configs: [{url: 'ftp://h/PLANTED4'}]",
        "webhook_configs: [{url: [PLANTED5]}]",
        "webhook_configs: [{url: 'http://ok', http_config: {basic_auth: {password: PLANTED6, pasword: x}, proxy_url: 'http://u:PLANTED7@:x y'}}]",
        "opsgenie_configs: [{api_key: PLANTED8, api_key_file: f}]",
        "telegram_configs: [{bot_token: PLANTED9}]",
        "victorops_configs: [{api_key: PLANTEDa, routing_key: r, api_key: PLANTEDb}]",
        "webhook_configs:\n  - http_config:\n      authorization:\n        credentials: >\n          PLANTEDc\n        typ: x",
        "email_configs: [{auth_password: 'PLANTEDd, to: x",
    ];
    for receiver in receivers {
        let text = format!("route: {{receiver: a}}\nreceivers:\n- name: a\n  {receiver}\n");
        std::fs::write(&path, text).unwrap();
        let file = path.display().to_string();
        let shown = run(&["check", "alertmanager", &file]);
        assert!(shown.contains("error"), "{receiver}: {shown}");
        clean(receiver, &shown);
        let data = format!("--storage.tsdb.path={}", folder.join("none").display());
        let started = run(&[
            "serve",
            &format!("--alertmanager.config.file={file}"),
            &data,
        ]);
        assert!(started.contains("wrong.yml"), "{receiver}: {started}");
        clean(receiver, &started);
    }
}

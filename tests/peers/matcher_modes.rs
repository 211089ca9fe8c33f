//! `--enable-feature=classic-mode` and `utf8-strict-mode`: files, filters, alerts and silences beside Alertmanager.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Daemon, Process, escape, free_port, peer, request, wait_for};

const ROUTER: &str = "route: {receiver: a, routes: [{matchers: ['foo=bar'], receiver: a}]}\nreceivers: [{name: a}]\n";

/// What a server says to a number of requests; ids and times do not count.
fn answers(port: u16) -> Vec<String> {
    let mut all = Vec::new();
    let mut ask = |method: &str, path: &str, body: &str| {
        let (status, text) = request(port, method, &format!("/api/v2{path}"), body).unwrap();
        let told = if status == 200 { "" } else { text.trim() };
        all.push(format!("{method} {path} {body}: {status} {told}"));
    };
    for labels in [
        json!({"alertname": "x", "ü y": "1"}),
        json!({"alertname": "x", "a.b": "1"}),
        json!({"alertname": "x", "": "1"}),
        json!({"": ""}),
    ] {
        ask(
            "POST",
            "/alerts",
            &json!([{ "labels": labels }]).to_string(),
        );
    }
    let annotated = json!([{"labels": {"alertname": "x"}, "annotations": {"ü y": "1"}}]);
    ask("POST", "/alerts", &annotated.to_string());
    ask(
        "POST",
        "/alerts",
        r#"[{"labels":{"alertname":"x","half":"\ud800"}}]"#,
    );
    for text in [
        "\"ü y\"=1",
        "{foo=bar",
        "foo=bar\\n",
        "foo==bar",
        "foo=bär",
        "foo=a b",
        "a.b=1",
        "foo",
        "=",
    ] {
        for path in ["alerts", "alerts/groups", "silences"] {
            ask("GET", &format!("/{path}?filter={}", escape(text)), "");
        }
    }
    for (name, value, is_regex) in [("a.b", "x", false), ("", "x", false), ("a", ".*", true)] {
        let silence = json!({"matchers": [{"name": name, "value": value, "isRegex": is_regex}], "comment": "c",
            "createdBy": "me", "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"});
        ask("POST", "/silences", &silence.to_string());
    }
    all
}

fn upstream(program: &Path, folder: &Path, feature: &str) -> (Process, u16) {
    let port = free_port();
    let args = [
        format!(
            "--config.file={}",
            folder.join("alertmanager.yml").display()
        ),
        format!("--storage.path={}", folder.join("upstream").display()),
        format!("--web.listen-address=127.0.0.1:{port}"),
        "--cluster.listen-address=".to_owned(),
        format!("--enable-feature={feature}"),
    ];
    let process = Process::start(program, &args, &folder.join("upstream.log"));
    wait_for("Alertmanager", Duration::from_mins(2), || {
        request(port, "GET", "/-/ready", "").is_some_and(|(status, _)| status == 200)
    });
    (process, port)
}

#[test]
fn modes_of_matchers_hold_everywhere_as_in_alertmanager() {
    let Some(program) = peer("prometheus-alertmanager") else {
        return;
    };
    for feature in ["", "classic-mode", "utf8-strict-mode"] {
        let folder = tempfile::tempdir().unwrap();
        let router = folder.path().join("alertmanager.yml");
        std::fs::write(&router, ROUTER).unwrap();
        std::fs::write(folder.path().join("prometheus.yml"), "global: {}\n").unwrap();
        let (_upstream, port) = upstream(&program, folder.path(), feature);
        let mut flags = vec![format!("--alertmanager.config.file={}", router.display())];
        if !feature.is_empty() {
            flags.push(format!("--enable-feature={feature}"));
        }
        let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
        let ours = Daemon::start(folder.path(), free_port(), &flags);
        assert_eq!(answers(ours.port), answers(port), "{feature}");
        let stored = request(ours.port, "GET", "/api/v2/alerts?filter=alertname%3Dx", "")
            .unwrap()
            .1;
        let stored: Vec<Value> = serde_json::from_str(&stored).unwrap();
        let halves = stored
            .iter()
            .filter(|alert| alert["labels"]["half"] == "\u{fffd}");
        assert_eq!(halves.count(), 1, "{feature}");
    }
}

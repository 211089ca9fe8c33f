//! What karma, the dashboard for Alertmanager, asks for and how often: the version from `/metrics`, then status,
//! silences and groups, packed, again and again while alerts and silences change.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::api_v2::{check, description};
use crate::support::{Daemon, exchange, free_port, request, wait_for};

const ROUTER: &str = "
route:
  receiver: default
  group_by: [alertname, cluster]
  group_wait: 0s
  routes:
  - {matchers: [team=db], receiver: db, group_by: ['...'], continue: true}
  - {matchers: ['severity=~\"page|critical\"'], receiver: page, mute_time_intervals: [always]}
inhibit_rules:
- {source_matchers: [alertname=ClusterDown], target_matchers: [alertname!=ClusterDown], equal: [cluster]}
time_intervals:
- {name: always, time_intervals: [{weekdays: ['sunday:saturday']}]}
receivers: [{name: default}, {name: db}, {name: page}]
";

/// How karma talks: Go's client, which takes gzip.
const HEADERS: &str =
    "Accept: application/json\r\nAccept-Encoding: gzip\r\nUser-Agent: karma/v0.121\r\n";

/// A packed answer, unpacked.
fn get(port: u16, path: &str) -> String {
    let (status, fields, body) = exchange(port, "GET", path, HEADERS, b"").unwrap();
    assert_eq!(status, 200, "{path}");
    if !fields.iter().any(|field| field == "content-encoding: gzip") {
        return String::from_utf8(body).unwrap();
    }
    let mut text = String::new();
    let mut unpacked = flate2::read::GzDecoder::new(&body[..]);
    unpacked.read_to_string(&mut text).unwrap();
    text
}

struct Karma {
    port: u16,
    description: Option<Value>,
}

/// What karma shows after one round.
struct Seen {
    groups: Vec<Value>,
    silences: Vec<Value>,
}

impl Karma {
    /// An answer, held against Alertmanager's description.
    fn read(&self, path: &str) -> Value {
        let value: Value =
            serde_json::from_str(&get(self.port, &format!("/api/v2{path}"))).unwrap();
        if let Some(all) = &self.description {
            let bare = path.split('?').next().unwrap();
            let schema = &all["paths"][bare]["get"]["responses"]["200"]["schema"];
            let mut wrong = Vec::new();
            check(all, schema, &value, path, &mut wrong);
            assert!(wrong.is_empty(), "{path}: {wrong:?}");
        }
        value
    }

    fn round(&self) -> Seen {
        let status = self.read("/status");
        assert!(
            status["versionInfo"]["version"]
                .as_str()
                .unwrap()
                .starts_with("0.")
        );
        assert!(status["cluster"]["peers"].as_array().unwrap().is_empty());
        let silences = self.read("/silences").as_array().unwrap().clone();
        let groups =
            self.read("/alerts/groups?active=true&inhibited=true&muted=true&silenced=true");
        let groups = groups.as_array().unwrap().clone();
        let ids: BTreeSet<&str> = silences.iter().map(|s| s["id"].as_str().unwrap()).collect();
        for group in &groups {
            let alerts = group["alerts"].as_array().unwrap();
            assert!(!alerts.is_empty(), "{group}");
            for alert in alerts {
                assert_eq!(alert["fingerprint"].as_str().unwrap().len(), 16);
                let receivers = alert["receivers"].as_array().unwrap();
                assert!(receivers.contains(&group["receiver"]), "{alert}");
                for id in alert["status"]["silencedBy"].as_array().unwrap() {
                    // The two answers are a moment apart, and no silence goes in this time.
                    assert!(ids.contains(id.as_str().unwrap()), "{id} is unknown");
                }
            }
        }
        Seen { groups, silences }
    }
}

impl Seen {
    /// States of the alerts of one name at one receiver.
    fn states(&self, receiver: &str, name: &str) -> BTreeSet<String> {
        self.groups
            .iter()
            .filter(|group| group["receiver"]["name"] == *receiver)
            .flat_map(|group| group["alerts"].as_array().unwrap())
            .filter(|alert| alert["labels"]["alertname"] == *name)
            .map(|alert| {
                let status = &alert["status"];
                let why = ["silencedBy", "inhibitedBy", "mutedBy"];
                let why = why
                    .iter()
                    .filter(|by| status[**by].as_array().is_some_and(|by| !by.is_empty()));
                let why: Vec<&str> = why.copied().collect();
                format!("{} {}", status["state"].as_str().unwrap(), why.join(" "))
            })
            .collect()
    }
}

fn start(folder: &Path) -> Daemon {
    let path = folder.join("alertmanager.yml");
    std::fs::write(&path, ROUTER).unwrap();
    std::fs::write(folder.join("prometheus.yml"), "global: {}\n").unwrap();
    let flag = format!("--alertmanager.config.file={}", path.display());
    Daemon::start(folder, free_port(), &[&flag])
}

fn post(port: u16, path: &str, body: &Value) -> String {
    let (status, text) = request(port, "POST", path, &body.to_string()).unwrap();
    assert_eq!(status, 200, "{text}");
    text
}

fn alerts(port: u16, count: usize) {
    let alert = |at: usize| {
        json!({"labels": {"alertname": format!("Down{}", at % 5), "cluster": format!("c{}", at % 3),
                          "instance": at.to_string(), "team": if at.is_multiple_of(2) { "db" } else { "web" },
                          "severity": if at % 4 == 1 { "page" } else { "info" }},
               "annotations": {"summary": format!("<{at}> is \"down\"")}, "generatorURL": "http://p.example/g"})
    };
    post(port, "/api/v2/alerts", &(0..count).map(alert).collect());
}

#[test]
fn karma_finds_what_it_looks_for() {
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path());
    let karma = Karma {
        port: daemon.port,
        description: description(),
    };
    // karma chooses how to talk by this.
    let metrics = get(daemon.port, "/metrics");
    let build = metrics
        .lines()
        .find(|line| line.starts_with("alertmanager_build_info{"));
    assert!(build.unwrap().contains("version=\"0."), "{build:?}");
    alerts(daemon.port, 500);
    wait_for("the groups to be flushed", Duration::from_mins(2), || {
        karma
            .round()
            .states("page", "Down1")
            .contains("suppressed mutedBy")
    });
    let seen = karma.round();
    assert_eq!(
        seen.states("db", "Down0"),
        BTreeSet::from(["active ".to_owned()])
    );
    assert!(seen.silences.is_empty());
    // A user silences from karma, and somebody's cluster goes down.
    let silence = json!({"matchers": [{"name": "alertname", "value": "Down0", "isRegex": false, "isEqual": true}],
        "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "karma", "comment": "c"});
    let answer: Value =
        serde_json::from_str(&post(daemon.port, "/api/v2/silences", &silence)).unwrap();
    post(
        daemon.port,
        "/api/v2/alerts",
        &json!([{"labels": {"alertname": "ClusterDown", "cluster": "c1"}}]),
    );
    for round in 0..20 {
        // Several browsers at once, while the senders go on.
        std::thread::scope(|scope| {
            scope.spawn(|| alerts(daemon.port, 500 + round));
            for _ in 0..3 {
                scope.spawn(|| karma.round());
            }
        });
    }
    let seen = karma.round();
    let both = ["suppressed silencedBy", "suppressed silencedBy inhibitedBy"];
    assert_eq!(
        seen.states("db", "Down0"),
        BTreeSet::from(both.map(str::to_owned))
    );
    assert_eq!(seen.silences.len(), 1);
    let told = &seen.states("default", "ClusterDown");
    assert_eq!(*told, BTreeSet::from(["active ".to_owned()]));
    // Un-silenced from karma.
    let path = format!("/api/v2/silence/{}", answer["silenceID"].as_str().unwrap());
    assert_eq!(request(daemon.port, "DELETE", &path, "").unwrap().0, 200);
    let seen = karma.round();
    assert_eq!(seen.silences[0]["status"]["state"], "expired");
    let left = ["active ", "suppressed inhibitedBy"];
    assert_eq!(
        seen.states("db", "Down0"),
        BTreeSet::from(left.map(str::to_owned))
    );
}

//! Every answer of API v2 fulfils Alertmanager's own description of it
//! (`../shared/conformance/notify/api/openapi.yaml`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use watchfire::text::yaml::{Decoder, Dialect, parse_first};

use crate::support::{Daemon, Server, free_port, request, say, wait_for};

/// The description, if it is there.
pub fn description() -> Option<Value> {
    let folder = std::env::var_os("WATCHFIRE_CONFORMANCE").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"),
        PathBuf::from,
    );
    let path = folder.join("notify/api/openapi.yaml");
    let Ok(text) = std::fs::read_to_string(&path) else {
        say(&format!("{} is missing: skipped", path.display()));
        return None;
    };
    let document = parse_first(&text).unwrap();
    Some(Decoder::new(Dialect::V2).json(&document.root))
}

/// What is wrong with a value, by the schema's part of OpenAPI 2 that the description uses.
pub fn check(all: &Value, schema: &Value, value: &Value, path: &str, wrong: &mut Vec<String>) {
    if let Some(name) = schema["$ref"].as_str() {
        let target = all.pointer(&name[1..]).unwrap();
        return check(all, target, value, path, wrong);
    }
    for part in schema["allOf"].as_array().into_iter().flatten() {
        check(all, part, value, path, wrong);
    }
    let right = match schema["type"].as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        _ => true,
    };
    if !right {
        wrong.push(format!("{path}: {value} is no {}", schema["type"]));
        return;
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        // The ledger tells why these may be missing.
        if value.get(name).is_none() && !matches!(name, "routeLabels" | "annotations") {
            wrong.push(format!("{path}: {name} is missing"));
        }
    }
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        wrong.push(format!("{path}: {value} is not one of {allowed:?}"));
    }
    if schema["format"] == "date-time" {
        let text = value.as_str().unwrap();
        if watchfire::time::WallTime::parse_rfc3339(text).is_none() {
            wrong.push(format!("{path}: {text} is no time"));
        }
    }
    if let Some(least) = schema["minItems"].as_u64()
        && (value.as_array().unwrap().len() as u64) < least
    {
        wrong.push(format!("{path}: fewer than {least}"));
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        check(all, &schema["items"], item, &format!("{path}/{at}"), wrong);
    }
    for (name, item) in value.as_object().into_iter().flatten() {
        let known = &schema["properties"][name];
        let any = &schema["additionalProperties"];
        let schema = if known.is_null() { any } else { known };
        if !schema.is_null() {
            check(all, schema, item, &format!("{path}/{name}"), wrong);
        }
    }
}

const ROUTER: &str = "
route:
  receiver: hook
  group_by: [alertname]
  group_wait: 0s
  routes:
  - {matchers: [severity=critical], receiver: hook, labels: {team: 'x-{{ .GroupLabels.alertname }}'}, mute_time_intervals: [always]}
inhibit_rules:
- {source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [cluster]}
time_intervals:
- {name: always, time_intervals: [{weekdays: ['sunday:saturday']}]}
receivers:
- {name: hook, webhook_configs: [{url: 'http://127.0.0.1:PORT/x'}]}
";

fn start(folder: &Path, sink: u16) -> Daemon {
    let path = folder.join("alertmanager.yml");
    std::fs::write(&path, ROUTER.replace("PORT", &sink.to_string())).unwrap();
    std::fs::write(folder.join("prometheus.yml"), "global: {}\n").unwrap();
    let flag = format!("--alertmanager.config.file={}", path.display());
    Daemon::start(folder, free_port(), &[&flag])
}

#[test]
fn every_answer_fulfils_alertmanagers_description() {
    let Some(all) = description() else { return };
    let sink = Server::start(|_| String::new());
    let folder = tempfile::tempdir().unwrap();
    let daemon = start(folder.path(), sink.port);
    let post = |path: &str, body: &Value| {
        let (status, text) = request(daemon.port, "POST", path, &body.to_string()).unwrap();
        assert_eq!(status, 200, "{text}");
        text
    };
    let alert = |name: &str, severity: &str| {
        json!({"labels": {"alertname": name, "severity": severity, "cluster": "c"},
               "annotations": {"summary": "s", "empty": ""}, "generatorURL": "http://p.example/g"})
    };
    post(
        "/api/v2/alerts",
        &json!([
            alert("A", "critical"),
            alert("B", "warning"),
            alert("C", "info"),
            alert("D", "page")
        ]),
    );
    for (name, annotations) in [("C", json!({"ticket": "T-1"})), ("E", json!({}))] {
        let answer = post(
            "/api/v2/silences",
            &json!({"matchers": [{"name": "alertname", "value": name, "isRegex": false}, {"name": "x", "value": ".*", "isRegex": true, "isEqual": true}],
                    "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z", "createdBy": "me", "comment": "c", "annotations": annotations}),
        );
        let schema = &all["paths"]["/silences"]["post"]["responses"]["200"]["schema"];
        let mut wrong = Vec::new();
        check(
            &all,
            schema,
            &serde_json::from_str(&answer).unwrap(),
            "silence",
            &mut wrong,
        );
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    wait_for("a notification", Duration::from_secs(30), || {
        !sink.notifications().is_empty()
    });
    let mut seen = 0;
    for (path, methods) in all["paths"].as_object().unwrap() {
        for query in [
            "",
            "?active=false",
            "?silenced=false&inhibited=false",
            "?filter=alertname%3DC",
            "?receiver=hook",
        ] {
            if methods["get"].is_null() || path.contains('{') {
                continue;
            }
            let (status, text) =
                request(daemon.port, "GET", &format!("/api/v2{path}{query}"), "").unwrap();
            assert_eq!(status, 200, "{path}{query}: {text}");
            let schema = &methods["get"]["responses"]["200"]["schema"];
            let mut wrong = Vec::new();
            check(
                &all,
                schema,
                &serde_json::from_str(&text).unwrap(),
                path,
                &mut wrong,
            );
            assert!(wrong.is_empty(), "{path}{query}: {wrong:?}: {text}");
            seen += 1;
        }
    }
    assert_eq!(seen, 25);
    let (_, text) = request(daemon.port, "GET", "/api/v2/silences", "").unwrap();
    for silence in serde_json::from_str::<Vec<Value>>(&text).unwrap() {
        let path = format!("/api/v2/silence/{}", silence["id"].as_str().unwrap());
        let (_, text) = request(daemon.port, "GET", &path, "").unwrap();
        let schema = &all["definitions"]["gettableSilence"];
        let mut wrong = Vec::new();
        check(
            &all,
            schema,
            &serde_json::from_str(&text).unwrap(),
            &path,
            &mut wrong,
        );
        assert!(wrong.is_empty(), "{wrong:?}");
    }
    let (_, text) = request(daemon.port, "GET", "/api/v2/alerts/groups", "").unwrap();
    let groups: Vec<Value> = serde_json::from_str(&text).unwrap();
    let of = |name: &str| {
        groups
            .iter()
            .find(|g| g["labels"]["alertname"] == *name)
            .unwrap()
    };
    assert_eq!(of("A")["routeLabels"], json!({"team": "x-A"}));
    assert_eq!(of("A")["alerts"][0]["status"]["mutedBy"], json!(["always"]));
    assert_eq!(of("D")["routeLabels"], json!({}));
    assert_eq!(of("B")["alerts"][0]["status"]["state"], "suppressed");
}

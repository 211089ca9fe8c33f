//! kill -9 of the running program while it scrapes, takes pushes, evaluates rules and notifies: what a query has
//! shown and what was acknowledged is there after each restart, and alerts go on from where they were.
//! `WATCHFIRE_KILLS=200` kills more often and says how it went.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "real processes on the real clock and disk; a broken set-up must stop the test"
)]
#![allow(
    unreachable_pub,
    reason = "modules of a test binary have nobody outside"
)]

#[path = "durability/alerts.rs"]
mod alerts;
mod support;

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message as _;
use support::{Daemon, Server, api, free_port, query, say, wait_for};
use watchfire::codec::prompb::{Label, Sample, TimeSeries, WriteRequest, compress};
use watchfire::time::WallTime;

/// An exporter whose values change with each scrape.
fn exporter() -> Server {
    let scrapes = AtomicU64::new(0);
    Server::start(move |_| {
        let n = scrapes.fetch_add(1, Ordering::Relaxed);
        let gauges: Vec<String> = (0..50)
            .map(|i| format!("gauge{{i=\"{i}\"}} {}\n", n * 50 + i))
            .collect();
        format!("scrapes_total {n}\n{}", gauges.concat())
    })
}

fn write_config(folder: &Path, target: u16) {
    let config = format!(
        "global: {{scrape_interval: 50ms, scrape_timeout: 50ms, evaluation_interval: 100ms}}\n\
         rule_files: [rules.yaml]\nscrape_configs:\n\
         - {{job_name: page, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}\n"
    );
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let rules = "groups:\n- name: g\n  rules:\n  - {alert: Waits, expr: vector(1) >= 0, for: 24h}\n\
                   \x20 - {alert: Fires, expr: vector(1) >= 0, keep_firing_for: 24h}\n";
    std::fs::write(folder.join("rules.yaml"), rules).unwrap();
}

/// State and begin of each alert, by name, once both are there.
fn alerts(port: u16) -> BTreeMap<String, (String, i64)> {
    let mut found = BTreeMap::new();
    wait_for("both alerts", Duration::from_mins(2), || {
        let data = api(port, "/api/v1/alerts").unwrap_or_default();
        found = data["alerts"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|alert| {
                let text = |value: &serde_json::Value| value.as_str().unwrap_or("").to_owned();
                let begin = WallTime::parse_rfc3339(&text(&alert["activeAt"])).unwrap();
                let state = (text(&alert["state"]), begin.as_ms());
                (text(&alert["labels"]["alertname"]), state)
            })
            .collect();
        found.len() == 2
    });
    found
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis() as i64
}

/// Pushes one sample of `pushed`; true when it was acknowledged.
fn push(port: u16, ms: i64) -> bool {
    let request = WriteRequest {
        timeseries: vec![TimeSeries {
            labels: vec![Label {
                name: "__name__".to_owned(),
                value: "pushed".to_owned(),
            }],
            samples: vec![Sample {
                value: ms as f64,
                timestamp: ms,
            }],
            ..TimeSeries::default()
        }],
        ..WriteRequest::default()
    };
    let body = compress(&request.encode_to_vec()).unwrap();
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let head = format!(
        "POST /api/v1/write HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-protobuf\r\n\
         Content-Encoding: snappy\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = String::new();
    let sent = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&body))
        .and_then(|()| stream.read_to_string(&mut answer));
    sent.is_ok() && answer.starts_with("HTTP/1.1 204")
}

/// Every sample that a query shows now: series and time to value.
fn shown(port: u16) -> BTreeMap<(String, String), String> {
    let mut samples = BTreeMap::new();
    for series in query(port, "{__name__=~\"scrapes_total|gauge|up|pushed\"}[1h]") {
        for point in series["values"].as_array().cloned().unwrap_or_default() {
            let key = (series["metric"].to_string(), point[0].to_string());
            samples.insert(key, point[1].to_string());
        }
    }
    samples
}

#[test]
fn what_was_shown_or_acknowledged_is_there_after_kill_9() {
    let kills = std::env::var("WATCHFIRE_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(5);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let target = exporter();
    write_config(folder, target.port);
    let port = free_port();
    let args = ["--web.enable-remote-write-receiver"];
    let mut daemon = Daemon::start(folder, port, &args);
    let mut random = fastrand::Rng::with_seed(7);
    let acknowledged = AtomicI64::new(0);
    let first = now_ms();
    let began = alerts(port);
    assert_eq!(began["Waits"].0, "pending");
    assert_eq!(began["Fires"].0, "firing");
    let mut compared = 0;
    for round in 0..kills {
        let dying = AtomicBool::new(false);
        let before = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !dying.load(Ordering::Relaxed) {
                    let ms = now_ms();
                    if ms > acknowledged.load(Ordering::Relaxed) && push(port, ms) {
                        acknowledged.store(ms, Ordering::Relaxed);
                    }
                }
            });
            std::thread::sleep(Duration::from_millis(random.u64(50..500)));
            let before = shown(port);
            std::thread::sleep(Duration::from_millis(random.u64(0..30)));
            daemon.process.kill();
            dying.store(true, Ordering::Relaxed);
            before
        });
        daemon = Daemon::start(folder, port, &args);
        assert_eq!(alerts(port), began, "round {round}: alerts begin anew");
        let after = shown(port);
        compared += before.len();
        for (key, value) in &before {
            let name = format!("round {round}: {key:?} was shown before kill -9");
            assert_eq!(after.get(key), Some(value), "{name}");
        }
        let newest = acknowledged.load(Ordering::Relaxed);
        let newest_shown = query(port, "max_over_time(pushed[1h])")
            .first()
            .and_then(|found| found["value"][1].as_str()?.parse::<f64>().ok());
        assert!(
            newest_shown.is_some_and(|shown| shown >= newest as f64),
            "round {round}: {newest_shown:?} is shown and {newest} was acknowledged"
        );
    }
    assert!(
        acknowledged.load(Ordering::Relaxed) > first,
        "pushes went through"
    );
    let samples = shown(port).len();
    assert!(samples > 100 * kills, "scrapes went on");
    let pushed = query(port, "count_over_time(pushed[1h])");
    let pushed = pushed.first().map(|found| found["value"][1].to_string());
    say(&format!(
        "{kills} kills: {samples} samples, {} of them pushed; {compared} compared after kills; alerts as they were",
        pushed.unwrap_or_default()
    ));
}

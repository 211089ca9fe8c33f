//! kill -9 while alerts come in and notifications are under way: what was acknowledged is told, its end too,
//! and nothing twice but what a kill interrupted.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Daemon, free_port, request, wait_for};

/// What was heard of each alert, in order: whether it fires, and in which life of the daemon.
type Heard = Arc<Mutex<BTreeMap<String, Vec<(bool, usize)>>>>;

/// A webhook receiver that takes its time and fails now and then.
fn receiver(heard: &Heard) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::clone(heard);
    std::thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let heard = Arc::clone(&heard);
            std::thread::spawn(move || serve(stream, number as u64, &heard));
        }
    });
    port
}

fn serve(stream: TcpStream, seed: u64, heard: &Heard) -> Option<()> {
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    let mut random = fastrand::Rng::with_seed(seed);
    loop {
        let mut first = String::new();
        if reader.read_line(&mut first).ok()? == 0 {
            return None;
        }
        // The path says which life of the daemon asks.
        let life = first.split([' ', '/']).nth(2)?.parse().ok()?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if line == "\r\n" {
                break;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        std::thread::sleep(Duration::from_millis(random.u64(0..40)));
        let fails = random.u8(0..10) == 0;
        if !fails {
            let message: Value = serde_json::from_slice(&body).ok()?;
            for alert in message["alerts"].as_array()? {
                let name = alert["labels"]["alertname"].as_str()?.to_owned();
                let entry = (alert["status"] == "firing", life);
                heard.lock().unwrap().entry(name).or_default().push(entry);
            }
        }
        // Heard before it is answered: a kill in between is what may lead to a repetition.
        std::thread::sleep(Duration::from_millis(random.u64(0..20)));
        let status = if fails { "503 Later" } else { "200 OK" };
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        writer.write_all(answer.as_bytes()).ok()?;
    }
}

/// Posts alerts that fire until tomorrow, or that end now; true when they were acknowledged.
fn post(port: u16, names: &[String], ended: bool) -> bool {
    let times = if ended {
        r#""startsAt":"2020-01-01T00:00:00Z","endsAt":"2020-01-02T00:00:00Z""#
    } else {
        r#""endsAt":"2099-01-01T00:00:00Z""#
    };
    let alerts: Vec<String> = names
        .iter()
        .map(|name| format!(r#"{{"labels":{{"alertname":"{name}"}},{times}}}"#))
        .collect();
    let body = format!("[{}]", alerts.join(","));
    request(port, "POST", "/api/v2/alerts", &body).is_some_and(|(status, _)| status == 200)
}

fn start(folder: &Path, port: u16, sink: u16, life: usize) -> Daemon {
    let router = format!(
        "route: {{receiver: hook, group_by: ['...'], group_wait: 0s, group_interval: 300ms, repeat_interval: 1h}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{sink}/{life}/'}}]}}]\n"
    );
    std::fs::write(folder.join("alertmanager.yml"), router).unwrap();
    let file = folder.join("alertmanager.yml");
    let flag = format!("--alertmanager.config.file={}", file.display());
    Daemon::start(folder, port, &[&flag])
}

#[test]
fn every_acknowledged_alert_and_its_end_are_told_over_kill_9() {
    let kills = std::env::var("WATCHFIRE_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(4);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let heard = Heard::default();
    let sink = receiver(&heard);
    std::fs::write(folder.join("prometheus.yml"), "global: {}\n").unwrap();
    let port = free_port();
    let mut random = fastrand::Rng::with_seed(11);
    let mut daemon = start(folder, port, sink, 0);
    let (mut firing, mut ended) = (Vec::new(), Vec::new());
    for round in 0..kills {
        for batch in 0..4 {
            let names: Vec<String> = (0..8).map(|i| format!("A{round}-{batch}-{i}")).collect();
            if post(port, &names, false) {
                firing.extend(names);
            }
            // Only an alert that somebody was told of has an end to tell.
            let told: Vec<String> = {
                let heard = heard.lock().unwrap();
                let open = firing.iter().filter(|name| !ended.contains(*name));
                let told = open.filter(|name| heard.contains_key(*name));
                told.take(6).cloned().collect()
            };
            if !told.is_empty() && post(port, &told, true) {
                ended.extend(told);
            }
            std::thread::sleep(Duration::from_millis(random.u64(0..80)));
        }
        std::thread::sleep(Duration::from_millis(random.u64(0..400)));
        daemon.process.kill();
        daemon = start(folder, port, sink, round + 1);
    }
    wait_for("all alerts to be told", Duration::from_mins(2), || {
        let heard = heard.lock().unwrap();
        firing.iter().all(|name| heard.contains_key(name))
    });
    let rest: Vec<String> = firing
        .iter()
        .filter(|name| !ended.contains(*name))
        .cloned()
        .collect();
    assert!(post(port, &rest, true));
    wait_for("all ends to be told", Duration::from_mins(2), || {
        let heard = heard.lock().unwrap();
        firing
            .iter()
            .all(|name| heard[name].last().is_some_and(|(fires, _)| !fires))
    });
    assert!(
        firing.len() >= kills * 8 && ended.len() >= kills,
        "{} {}",
        firing.len(),
        ended.len()
    );
    let heard = heard.lock().unwrap();
    for (name, told) in heard.iter() {
        for pair in told.windows(2) {
            let [(fired, before), (fires, after)] = [pair[0], pair[1]];
            // The same word again is right only when a kill came in between; after the end nothing fires.
            assert!(fired != fires || before != after, "{name}: {told:?}");
            assert!(fired || !fires, "{name}: {told:?}");
        }
    }
}

//! Tests of the running program: start, reload, kill -9, stop.
#![allow(clippy::unwrap_used, reason = "a broken set-up must stop the test")]
#![allow(
    unreachable_pub,
    reason = "modules of a test binary have nobody outside"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "real processes live on the real clock and disk"
)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use support::{Daemon, Server, api, free_port, query, request, wait_for};

/// An exporter whose counter goes up by one with each scrape.
fn exporter() -> Server {
    let scrapes = AtomicU64::new(0);
    Server::start(move |_| {
        let n = scrapes.fetch_add(1, Ordering::Relaxed);
        let gauges: Vec<String> = (0..50)
            .map(|i| format!("gauge{{i=\"{i}\"}} {}\n", n * 50 + i))
            .collect();
        format!(
            "# TYPE scrapes_total counter\nscrapes_total {n}\nalways 1\n{}",
            gauges.concat()
        )
    })
}

fn write_config(folder: &Path, target: u16, inbox: u16) {
    let config = format!(
        "global: {{scrape_interval: 100ms, scrape_timeout: 100ms, evaluation_interval: 200ms}}\nrule_files: [rules.yaml]\nscrape_configs:\n\
         - {{job_name: page, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}\n"
    );
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let rules = "groups:\n- name: g\n  rules:\n  - {alert: Pending, expr: always == 1, for: 1h}\n  - {alert: Firing, expr: always == 1}\n";
    std::fs::write(folder.join("rules.yaml"), rules).unwrap();
    let router = format!(
        "route: {{receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 200ms, repeat_interval: 4h}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{inbox}/hook'}}]}}]\n"
    );
    std::fs::write(folder.join("alertmanager.yml"), router).unwrap();
}

/// Every sample that a query shows now: (series, time) to value.
fn shown(port: u16) -> BTreeMap<(String, String), String> {
    let mut samples = BTreeMap::new();
    for series in query(port, "{__name__=~\"scrapes_total|gauge\"}[1h]") {
        for point in series["values"].as_array().cloned().unwrap_or_default() {
            samples.insert(
                (series["metric"].to_string(), point[0].to_string()),
                point[1].to_string(),
            );
        }
    }
    samples
}

fn active_at(port: u16, alert: &str) -> Option<String> {
    let alerts = api(port, "/api/v1/alerts")?;
    let found = alerts["alerts"]
        .as_array()?
        .iter()
        .find(|a| a["labels"]["alertname"] == alert)?
        .clone();
    found["activeAt"].as_str().map(str::to_owned)
}

/// `WATCHFIRE_KILLS=50` kills more often.
#[test]
fn nothing_that_was_shown_is_lost_by_kill_9() {
    let kills = std::env::var("WATCHFIRE_KILLS")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(8);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (target, inbox) = (exporter(), Server::start(|_| String::new()));
    write_config(folder, target.port, inbox.port);
    let router = format!(
        "--alertmanager.config.file={}",
        folder.join("alertmanager.yml").display()
    );
    let port = free_port();
    let mut daemon = Daemon::start(folder, port, &[&router]);
    wait_for("the first notification", Duration::from_secs(30), || {
        !inbox.notifications().is_empty() && active_at(port, "Pending").is_some()
    });
    let since = active_at(port, "Pending");
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..kills {
        std::thread::sleep(Duration::from_millis(random.u64(50..700)));
        let before = shown(port);
        daemon.process.kill();
        daemon = Daemon::start(folder, port, &[&router]);
        let after = shown(port);
        for (key, value) in &before {
            assert_eq!(
                after.get(key),
                Some(value),
                "round {round}: {key:?} was shown before kill -9"
            );
        }
        wait_for("rules to run again", Duration::from_secs(10), || {
            active_at(port, "Pending").is_some()
        });
        assert_eq!(
            active_at(port, "Pending"),
            since,
            "round {round}: the timer of `for` began anew"
        );
    }
    let firing = inbox
        .notifications()
        .into_iter()
        .filter(|body| body["groupLabels"]["alertname"] == "Firing")
        .count();
    assert_eq!(firing, 1, "the notification was repeated");
}

#[test]
fn a_bad_file_leaves_the_old_configuration_running_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (target, inbox) = (exporter(), Server::start(|_| String::new()));
    write_config(folder, target.port, inbox.port);
    let daemon = Daemon::start(folder, free_port(), &["--web.enable-lifecycle"]);
    let good = |port| query(port, "prometheus_config_last_reload_successful").len();
    let _ = good(daemon.port);
    std::fs::write(
        folder.join("prometheus.yml"),
        "global: {scrape_intervall: 1s}\n",
    )
    .unwrap();
    let (status, text) = request(daemon.port, "POST", "/-/reload", "").unwrap();
    assert_eq!(status, 500, "{text}");
    assert!(text.contains("scrape_intervall"), "{text}");
    let metrics = request(daemon.port, "GET", "/metrics", "").unwrap().1;
    assert!(
        metrics.contains("prometheus_config_last_reload_successful 0"),
        "the metric must tell"
    );
    wait_for("scrapes to go on", Duration::from_secs(10), || {
        !query(daemon.port, "scrapes_total").is_empty()
    });
    write_config(folder, target.port, inbox.port);
    assert_eq!(
        request(daemon.port, "POST", "/-/reload", "").unwrap().0,
        200
    );
    let metrics = request(daemon.port, "GET", "/metrics", "").unwrap().1;
    assert!(
        metrics.contains("prometheus_config_last_reload_successful 1"),
        "the metric must tell"
    );
    assert_eq!(
        daemon.process.terminate(),
        Some(0),
        "SIGTERM ends the program cleanly"
    );
}

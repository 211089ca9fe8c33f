//! A cardinality bomb: one target brings new series without end into a process with `--memory.limit`. The process
//! stays under its budget, the other target's samples and all alerts flow, and the offender is named.
//!
//! `WATCHFIRE_BOMB=SERIES_PER_SECOND:SECONDS:LIMIT_MB` sets the size (16700:60:600 is a million in a minute); the
//! default is small, and of a small limit the few megabytes that a flush takes for a moment are a larger part.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "real processes on the real clock and disk; a broken set-up must stop the test"
)]
#![allow(
    unreachable_pub,
    reason = "modules of a test binary have nobody outside"
)]

mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use support::{Daemon, Server, api, free_port, request, say, wait_for, watchfire};

/// How large the bomb is.
struct Size {
    series_per_second: u64,
    seconds: u64,
    limit_mb: u64,
    /// Bytes by which a moment may exceed the limit.
    tolerance: u64,
}

fn size() -> Size {
    let given = std::env::var("WATCHFIRE_BOMB");
    let tolerance = if given.is_ok() { 0 } else { 10 << 20 };
    let given = given.unwrap_or_else(|_| "10000:4:75".to_owned());
    let parts: Vec<u64> = given.split(':').map(|part| part.parse().unwrap()).collect();
    let [series_per_second, seconds, limit_mb] = parts[..] else {
        panic!("WATCHFIRE_BOMB is SERIES_PER_SECOND:SECONDS:LIMIT_MB");
    };
    Size {
        series_per_second,
        seconds,
        limit_mb,
        tolerance,
    }
}

/// A target of 20 series, and one whose every scrape brings new ones.
fn targets(bomb_per_scrape: u64, level: &Arc<AtomicU64>) -> (Server, Server, Arc<AtomicU64>) {
    let shown = Arc::clone(level);
    let good = Server::start(move |_| {
        let level = shown.load(Ordering::Relaxed);
        let gauges: Vec<String> = (0..20)
            .map(|i| format!("level{{i=\"{i}\"}} {level}\n"))
            .collect();
        gauges.concat()
    });
    let served = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&served);
    let bomb = Server::start(move |_| {
        let first = counted.fetch_add(bomb_per_scrape, Ordering::Relaxed);
        let mut page = String::new();
        for i in first..first + bomb_per_scrape {
            let _ = writeln!(
                page,
                "http_requests_total{{method=\"GET\",code=\"200\",service=\"checkout\",user_id=\"user-{i:0100}\"}} 1"
            );
        }
        page
    });
    (good, bomb, served)
}

fn write_files(folder: &Path, good: u16, bomb: u16, own: u16, inbox: u16) {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("alert-rules/prometheus.yaml");
    let config = format!(
        "global: {{scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms}}\n\
         rule_files: ['{}', rules.yaml]\nscrape_configs:\n\
         - {{job_name: good, static_configs: [{{targets: ['127.0.0.1:{good}']}}]}}\n\
         - {{job_name: shop, scrape_interval: 1s, scrape_timeout: 1s, static_configs: [{{targets: ['127.0.0.1:{bomb}']}}]}}\n\
         - {{job_name: watchfire, static_configs: [{{targets: ['127.0.0.1:{own}']}}]}}\n",
        rules.display()
    );
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let rules =
        "groups:\n- name: g\n  rules:\n  - {alert: LevelHigh, expr: 'level{i=\"3\"} > 5'}\n";
    std::fs::write(folder.join("rules.yaml"), rules).unwrap();
    let router = format!(
        "route: {{receiver: hook, group_by: [alertname], group_wait: 100ms, group_interval: 500ms, repeat_interval: 4h}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{inbox}/hook'}}]}}]\n"
    );
    std::fs::write(folder.join("alertmanager.yml"), router).unwrap();
}

/// Bytes of anonymous memory of a process.
fn anonymous(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// Whether the inbox was told of a firing alert; the summary.
fn told(inbox: &Server, name: &str) -> Option<String> {
    inbox.notifications().iter().find_map(|notification| {
        notification["alerts"].as_array()?.iter().find_map(|alert| {
            let fires = alert["status"] == "firing" && alert["labels"]["alertname"] == name;
            fires.then(|| {
                alert["annotations"]["summary"]
                    .as_str()
                    .unwrap_or("")
                    .to_owned()
            })
        })
    })
}

#[test]
fn a_cardinality_bomb_is_contained_and_its_author_named() {
    let size = size();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let level = Arc::new(AtomicU64::new(1));
    let (good, bomb, served) = targets(size.series_per_second, &level);
    let inbox = Server::start(|_| String::new());
    let port = free_port();
    write_files(folder, good.port, bomb.port, port, inbox.port);
    let daemon = Daemon::start(
        folder,
        port,
        &[
            &format!("--memory.limit={}MB", size.limit_mb),
            &format!(
                "--alertmanager.config.file={}",
                folder.join("alertmanager.yml").display()
            ),
        ],
    );
    let process = daemon.process.id();
    let limit = size.limit_mb << 20;
    let mut peak = 0;
    let mut look = || {
        let used = anonymous(process);
        assert!(used <= limit + size.tolerance, "{used} bytes of {limit}");
        peak = peak.max(used);
    };
    // The bomb is on until series are refused, and for its time at least.
    let started = Instant::now();
    let memory = || api(port, "/api/watchfire/v1/status/memory").unwrap_or_default();
    wait_for("series to be refused", Duration::from_mins(5), || {
        look();
        memory()["refusedSeries"].as_u64().unwrap_or(0) > 0
            && started.elapsed() >= Duration::from_secs(size.seconds)
    });
    // Samples and alerts of others flow.
    level.store(9, Ordering::Relaxed);
    wait_for("the other target's alert", Duration::from_mins(2), || {
        look();
        told(&inbox, "LevelHigh").is_some()
    });
    wait_for(
        "the alert that names the author",
        Duration::from_mins(2),
        || {
            look();
            told(&inbox, "MemoryLimitReached").is_some()
        },
    );
    let summary = told(&inbox, "MemoryLimitReached").unwrap();
    for part in ["job shop", "http_requests_total", "user_id"] {
        assert!(summary.contains(part), "{part:?} is missing in {summary:?}");
    }
    let worst = memory()["growth"][0].clone();
    assert_eq!(worst["job"], "shop", "{worst}");
    assert_eq!(worst["metric"], "http_requests_total", "{worst}");
    assert_eq!(worst["label"], "user_id", "{worst}");
    assert_eq!(request(port, "GET", "/-/ready", "").unwrap().0, 200);
    let series = memory()["series"].clone();
    daemon.process.kill();
    // Every scrape of the other target is there: about two a second, none further apart than a slow machine makes it.
    let times = scrape_times(folder);
    let wanted = usize::try_from(started.elapsed().as_secs() / 4).unwrap();
    assert!(times.len() >= wanted, "{} scrapes of {wanted}", times.len());
    say(&format!(
        "{} series served in {:?}, {series} kept, anonymous memory at most {} of {} MB; {} scrapes of the other target; told: {summary}",
        served.load(Ordering::Relaxed),
        started.elapsed(),
        peak >> 20,
        size.limit_mb,
        times.len(),
    ));
}

/// When the good target was scraped with success.
fn scrape_times(folder: &Path) -> Vec<i64> {
    let out = Command::new(watchfire())
        .args(["tsdb", "dump", "--match=up{job=\"good\"} "])
        .arg(folder.join("data"))
        .output()
        .unwrap();
    assert!(
        out.status.success(),
        "{}",
        String::from_utf8_lossy(&out.stderr)
    );
    let text = String::from_utf8_lossy(&out.stdout);
    let lines = text.lines().filter_map(|line| {
        let (rest, ms) = line.rsplit_once(' ')?;
        rest.ends_with(" 1").then(|| ms.parse().ok()).flatten()
    });
    lines.collect()
}

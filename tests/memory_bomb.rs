//! A cardinality bomb: one target brings new series without end into a process with `--memory.limit`. The process
//! stays under its budget, the other target's samples and all alerts flow, and the offender is named.
//!
//! `WATCHFIRE_BOMB=SERIES_PER_SECOND:SECONDS:LIMIT_MB` sets the size (16700:60:600 is a million in a minute); the
//! default is small, and of a small limit the few megabytes that a flush takes for a moment are a larger part.
//! With a size given it also waits for what comes afterwards, which takes a quarter of an hour: the bomb's series leave
//! memory, are there for whoever asks, and new series are taken again.
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

use support::{Daemon, Server, api, escape, free_port, query, request, say, wait_for, watchfire};

/// How large the bomb is.
struct Size {
    series_per_second: u64,
    seconds: u64,
    limit_mb: u64,
    /// Bytes by which a moment may exceed the limit.
    tolerance: u64,
    /// Whether to wait for what comes afterwards.
    with_aftermath: bool,
}

fn size() -> Size {
    let given = std::env::var("WATCHFIRE_BOMB");
    let with_aftermath = given.is_ok();
    let tolerance = if with_aftermath { 0 } else { 10 << 20 };
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
        with_aftermath,
    }
}

/// What the targets show.
#[derive(Default)]
struct Stage {
    level: AtomicU64,
    /// New series with each scrape of the bomb; a few that stay while there are none.
    per_scrape: AtomicU64,
    /// New series so far.
    served: AtomicU64,
}

/// A target of 20 series, and one that is the bomb.
fn targets(stage: &Arc<Stage>) -> (Server, Server) {
    let shown = Arc::clone(stage);
    let good = Server::start(move |_| {
        let level = shown.level.load(Ordering::Relaxed);
        let gauges: Vec<String> = (0..20)
            .map(|i| format!("level{{i=\"{i}\"}} {level}\n"))
            .collect();
        gauges.concat()
    });
    let shown = Arc::clone(stage);
    let bomb = Server::start(move |_| {
        let count = shown.per_scrape.load(Ordering::Relaxed);
        let first = shown.served.fetch_add(count, Ordering::Relaxed);
        let mut page = String::new();
        for i in first..first + count {
            let _ = writeln!(
                page,
                "http_requests_total{{method=\"GET\",code=\"200\",service=\"checkout\",user_id=\"{}\"}} 1",
                user(i)
            );
        }
        if count == 0 && first > 0 {
            page.push_str("after_all{i=\"0\"} 1\nafter_all{i=\"1\"} 2\n");
        }
        page
    });
    (good, bomb)
}

/// A value that is new with each series of the bomb.
fn user(i: u64) -> String {
    format!("user-{i:0100}")
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
    let stage = Arc::new(Stage::default());
    let (good, bomb) = targets(&stage);
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
    let started = Instant::now();
    let memory = || api(port, "/api/watchfire/v1/status/memory").unwrap_or_default();
    let count = |what: &str| memory()[what].as_u64().unwrap_or(0);
    wait_for("the first scrapes", Duration::from_mins(2), || {
        !query(port, "sum(up) == 3").is_empty() && count("usedBytes") > 0
    });
    let before = Use {
        series: count("series"),
        bytes: anonymous(process),
    };
    // The bomb is on until series are refused, and for its time at least.
    stage
        .per_scrape
        .store(size.series_per_second, Ordering::Relaxed);
    let lit = Instant::now();
    wait_for("series to be refused", Duration::from_mins(5), || {
        look();
        count("refusedSeries") > 0 && lit.elapsed() >= Duration::from_secs(size.seconds)
    });
    // Samples and alerts of others flow.
    stage.level.store(9, Ordering::Relaxed);
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
    if size.with_aftermath {
        stage.per_scrape.store(0, Ordering::Relaxed);
        recovers(port, &before, limit, look);
    }
    daemon.process.kill();
    // Every scrape of the other target is there: about two a second, none further apart than a slow machine makes it.
    let times = scrape_times(folder);
    let wanted = usize::try_from(started.elapsed().as_secs() / 4).unwrap();
    assert!(times.len() >= wanted, "{} scrapes of {wanted}", times.len());
    say(&format!(
        "{} series served in {:?}, {series} kept, anonymous memory at most {} of {} MB; {} scrapes of the other target; told: {summary}",
        stage.served.load(Ordering::Relaxed),
        started.elapsed(),
        peak >> 20,
        size.limit_mb,
        times.len(),
    ));
}

/// What there was before the bomb.
struct Use {
    series: u64,
    bytes: u64,
}

/// After the bomb: memory is given back, everything is still there, and new series are welcome.
fn recovers(port: u16, before: &Use, limit: u64, mut look: impl FnMut()) {
    let ended = Instant::now();
    let memory = || api(port, "/api/watchfire/v1/status/memory").unwrap_or_default();
    let count = |what: &str| memory()[what].as_u64().unwrap_or(0);
    wait_for("new series to be taken", Duration::from_mins(30), || {
        look();
        query(port, "sum(after_all) == 3").len() == 1
    });
    let welcome = ended.elapsed();
    wait_for(
        "the series to leave memory",
        Duration::from_mins(40),
        || {
            look();
            count("series") <= before.series + 200
        },
    );
    let left = ended.elapsed();
    // What was there before, and an eighth of the limit for what knows where the archives' pages are and for holes.
    let enough = before.bytes + limit / 8;
    wait_for("memory to be given back", Duration::from_mins(5), || {
        look();
        count("usedBytes") <= enough
    });
    let archived = count("archivedSeries");
    say(&format!(
        "new series were taken after {welcome:?}, series had left after {left:?}: {archived} archived, {} MB of {} MB before",
        count("usedBytes") >> 20,
        before.bytes >> 20,
    ));
    // The first thousand were there before anything was refused.
    let first = "http_requests_total{user_id=~\"user-0{97}[0-9]{3}\"}";
    let one = |expr: &str| -> Option<String> {
        let found = query(port, expr);
        Some(found.first()?["value"][1].as_str()?.to_owned())
    };
    let all = format!("count(last_over_time({first}[3h]))");
    assert_eq!(one(&all).as_deref(), Some("1000"));
    let sum = format!("sum(last_over_time({first}[3h]))");
    assert_eq!(one(&sum).as_deref(), Some("1000"));
    assert!(query(port, first).is_empty(), "they have ended");
    let escaped = escape(first);
    let path = format!("/api/v1/label/user_id/values?match[]={escaped}");
    let values = api(port, &path).unwrap_or_default();
    let users: Vec<String> = (0..1000).map(user).collect();
    assert_eq!(values, serde_json::json!(users));
    let found = api(port, &format!("/api/v1/series?match[]={escaped}")).unwrap_or_default();
    assert_eq!(found.as_array().map(Vec::len), Some(1000));
    // A range over all of it: each of the thousand has one sample, and the marker of its end.
    let end = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let samples = escape(&format!("sum(count_over_time({first}[3h]))"));
    let path = format!(
        "/api/v1/query_range?query={samples}&start={}&end={end}&step=15",
        end - 60
    );
    let range = api(port, &path).unwrap_or_default();
    let points = range["result"][0]["values"].as_array().cloned();
    let points = points.unwrap_or_default();
    assert_eq!(points.len(), 5, "{range}");
    assert!(points.iter().all(|point| point[1] == "1000"), "{range}");
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

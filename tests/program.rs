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

#[path = "program/api_v2.rs"]
mod api_v2;
#[path = "program/discovery.rs"]
mod discovery;
#[path = "program/hostile.rs"]
mod hostile;
#[path = "program/karma.rs"]
mod karma;
#[path = "program/receivers.rs"]
mod receivers;
#[path = "program/secrets.rs"]
mod secrets;
mod support;

use std::collections::BTreeMap;
use std::io::Write as _;
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
    // On a starved machine a scrape of 100 ms fails; its marker must not end what the alerts stand on.
    let rules = "groups:\n- name: g\n  rules:\n\
                 \x20 - {alert: Pending, expr: 'last_over_time(always[1h]) == 1', for: 1h}\n\
                 \x20 - {alert: Firing, expr: 'last_over_time(always[1h]) == 1'}\n";
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
    wait_for("the first notification", Duration::from_mins(2), || {
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
        wait_for("rules to run again", Duration::from_mins(2), || {
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

/// Whether the last reload succeeded, as each place that tells it says.
fn reload_told(port: u16) -> [Option<bool>; 4] {
    let metrics = request(port, "GET", "/metrics", "").map(|(_, text)| text);
    let metric = |name: &str| {
        let line = metrics.as_ref()?.lines().find(|l| l.starts_with(name))?;
        line.rsplit_once(' ').map(|(_, value)| value == "1")
    };
    [
        metric("prometheus_config_last_reload_successful "),
        metric("alertmanager_config_last_reload_successful "),
        api(port, "/api/v1/status/runtimeinfo").and_then(|i| i["reloadConfigSuccess"].as_bool()),
        api(port, "/api/v1/notifications").map(|list| {
            let texts = list.as_array().cloned().unwrap_or_default();
            !texts
                .iter()
                .any(|n| n["text"] == "Configuration reload has failed.")
        }),
    ]
}

fn pools(port: u16) -> Vec<String> {
    let data = api(port, "/api/v1/scrape_pools").unwrap_or_default();
    let names = data["scrapePools"].as_array().cloned().unwrap_or_default();
    names
        .iter()
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect()
}

fn add_job(folder: &Path, job: &str) {
    let path = folder.join("prometheus.yml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, format!("{text}- {job}\n")).unwrap();
}

const LONG: Duration = Duration::from_mins(1);

#[test]
fn sighup_reloads_and_a_bad_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (target, inbox) = (exporter(), Server::start(|_| String::new()));
    write_config(folder, target.port, inbox.port);
    let daemon = Daemon::start(folder, free_port(), &[]);
    let port = daemon.port;
    assert_eq!(reload_told(port), [Some(true); 4]);
    // The scrape configuration is right and another job is new, but a rule is wrong.
    add_job(folder, "{job_name: second}");
    let rules = std::fs::read_to_string(folder.join("rules.yaml")).unwrap();
    std::fs::write(
        folder.join("rules.yaml"),
        format!("{rules}  - {{alert: Bad, expr: 1 +}}\n"),
    )
    .unwrap();
    daemon.process.signal("HUP");
    wait_for("the failure to be told", LONG, || {
        reload_told(port) == [Some(false); 4]
    });
    let log = std::fs::read_to_string(folder.join("watchfire.log")).unwrap();
    assert!(log.contains("reloading the configuration failed"), "{log}");
    assert!(
        log.contains("rules.yaml:6:"),
        "the place must be told: {log}"
    );
    assert_eq!(pools(port), ["page"]);
    let scrapes = || {
        let found = query(port, "scrapes_total");
        found.first().map(|sample| sample["value"][1].clone())
    };
    wait_for("a scrape", LONG, || scrapes().is_some());
    let before = scrapes();
    wait_for("scrapes to go on", LONG, || {
        let now = scrapes();
        now.is_some() && now != before
    });
    std::fs::write(folder.join("rules.yaml"), rules).unwrap();
    daemon.process.signal("HUP");
    wait_for("the good file to be read", LONG, || {
        reload_told(port) == [Some(true); 4]
    });
    assert_eq!(pools(port), ["page", "second"]);
    assert_eq!(daemon.process.terminate(), Some(0));
}

#[test]
fn files_are_looked_at_with_auto_reload() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (target, inbox) = (exporter(), Server::start(|_| String::new()));
    write_config(folder, target.port, inbox.port);
    let router = folder.join("alertmanager.yml");
    let daemon = Daemon::start(
        folder,
        free_port(),
        &[
            "--enable-feature=auto-reload-config",
            "--config.auto-reload-interval=100ms",
            &format!("--alertmanager.config.file={}", router.display()),
        ],
    );
    let port = daemon.port;
    add_job(folder, "{job_name: second}");
    wait_for("the new job", LONG, || pools(port) == ["page", "second"]);
    let good = std::fs::read_to_string(&router).unwrap();
    std::fs::write(&router, "route: {receiver: nobody}\n").unwrap();
    wait_for("the failure to be told", LONG, || {
        reload_told(port) == [Some(false); 4]
    });
    std::fs::write(&router, good).unwrap();
    wait_for("the good file to be read", LONG, || {
        reload_told(port) == [Some(true); 4]
    });
    assert_eq!(daemon.process.terminate(), Some(0));
}

#[test]
fn a_reload_that_cannot_be_carried_out_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (target, inbox) = (exporter(), Server::start(|_| String::new()));
    write_config(folder, target.port, inbox.port);
    let daemon = Daemon::start(folder, free_port(), &["--web.enable-lifecycle"]);
    let port = daemon.port;
    add_job(folder, "{job_name: another}");
    add_job(folder, "{job_name: broken, proxy_url: 'nothing://x'}");
    let (status, text) = request(port, "POST", "/-/reload", "").unwrap();
    assert_eq!(status, 500, "{text}");
    assert!(text.contains("broken"), "{text}");
    assert_eq!(pools(port), ["page"]);
    assert_eq!(reload_told(port), [Some(false); 4]);
}

#[test]
fn a_sink_takes_the_place_of_a_receiver() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (target, inbox) = (exporter(), Server::start(|_| String::new()));
    write_config(folder, target.port, inbox.port);
    let own = folder.join("watchfire.yml");
    let args = [
        format!(
            "--alertmanager.config.file={}",
            folder.join("alertmanager.yml").display()
        ),
        format!("--watchfire.config.file={}", own.display()),
        "--web.enable-lifecycle".to_owned(),
    ];
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    std::fs::write(&own, "sinks:\n  hock: {file: sent.jsonl}\n").unwrap();
    let refused = std::process::Command::new(support::watchfire())
        .args(["serve", "--web.listen-address=127.0.0.1:0"])
        .args(&args)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(
        text.contains("the router file has no receiver \"hock\" (line 2, column 3)")
            && text.contains("did you mean \"hook\"?"),
        "{text}"
    );
    std::fs::write(&own, "sinks:\n  hook: {file: sent.jsonl}\n").unwrap();
    let daemon = Daemon::start(folder, free_port(), &args);
    let sent = || std::fs::read_to_string(folder.join("sent.jsonl")).unwrap_or_default();
    wait_for("a notification in the sink", LONG, || {
        sent().contains("\"Firing\"")
    });
    assert!(inbox.notifications().is_empty(), "nothing leaves");
    // Without the sink the next notification leaves.
    std::fs::write(&own, "{}\n").unwrap();
    assert_eq!(
        request(daemon.port, "POST", "/-/reload", "").unwrap().0,
        200
    );
    std::fs::write(
        folder.join("rules.yaml"),
        "groups:\n- name: g\n  rules:\n  - {alert: Another, expr: always == 1}\n",
    )
    .unwrap();
    assert_eq!(
        request(daemon.port, "POST", "/-/reload", "").unwrap().0,
        200
    );
    wait_for("a notification in the inbox", LONG, || {
        let bodies = inbox.notifications();
        bodies
            .iter()
            .any(|b| b["groupLabels"]["alertname"] == "Another")
    });
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

/// What the rules and dashboards of the prometheus and alertmanager mixins ask for: names with the labels that
/// they use. What is not there stands in `src/manual/compat/self_metrics.rs` with the reason.
const MIXINS: &str = "
    prometheus_build_info{version} prometheus_config_last_reload_successful prometheus_engine_queries
    prometheus_engine_queries_concurrent_max prometheus_engine_query_duration_seconds{quantile,slice}
    prometheus_engine_query_duration_seconds_count{slice} prometheus_http_requests_total{code,handler}
    prometheus_notifications_alertmanagers_discovered prometheus_notifications_errors_total{alertmanager}
    prometheus_notifications_queue_capacity prometheus_notifications_queue_length
    prometheus_notifications_sent_total{alertmanager}
    prometheus_notifications_latency_seconds_count{alertmanager}
    prometheus_rule_evaluation_failures_total{rule_group}
    prometheus_rule_group_iterations_missed_total{rule_group} prometheus_rule_group_rules{rule_group}
    prometheus_rule_evaluation_duration_seconds_count prometheus_rule_group_duration_seconds{quantile}
    prometheus_sd_discovered_targets{config,name} prometheus_sd_kubernetes_failures_total
    prometheus_sd_refresh_failures_total{config,mechanism}
    prometheus_target_interval_length_seconds{interval,quantile}
    prometheus_target_interval_length_seconds_sum{interval}
    prometheus_target_metadata_cache_entries{scrape_job}
    prometheus_target_scrape_pool_exceeded_label_limits_total
    prometheus_target_scrape_pool_exceeded_target_limit_total
    prometheus_target_scrapes_exceeded_body_size_limit_total
    prometheus_target_scrapes_exceeded_sample_limit_total
    prometheus_target_scrapes_sample_duplicate_timestamp_total
    prometheus_target_scrapes_sample_out_of_bounds_total
    prometheus_target_scrapes_sample_out_of_order_total prometheus_target_sync_failed_total{scrape_job}
    prometheus_target_sync_length_seconds_sum{scrape_job} prometheus_tsdb_clean_start
    prometheus_tsdb_compactions_failed_total prometheus_tsdb_data_replay_duration_seconds
    prometheus_tsdb_head_chunks prometheus_tsdb_head_samples_appended_total{type}
    prometheus_tsdb_head_series prometheus_tsdb_reloads_failures_total
    prometheus_tsdb_wal_segment_current process_max_fds process_open_fds
    process_resident_memory_bytes process_start_time_seconds
    alertmanager_alerts{state} alertmanager_alerts_received_total{status,version}
    alertmanager_build_info{version} alertmanager_cluster_failed_peers alertmanager_cluster_members
    alertmanager_config_hash alertmanager_config_last_reload_successful
    alertmanager_config_last_reload_success_timestamp_seconds
    alertmanager_notification_latency_seconds_bucket{integration,le}
    alertmanager_notifications_failed_total{integration,reason}
    alertmanager_notifications_suppressed_total{reason} alertmanager_notifications_total{integration}
    alertmanager_silences{state}
";

#[test]
fn mixins_find_their_metrics() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (target, inbox) = (exporter(), Server::start(|_| String::new()));
    write_config(folder, target.port, inbox.port);
    add_job(
        folder,
        "{job_name: found, http_sd_configs: [{url: 'http://127.0.0.1:1/'}]}",
    );
    let path = folder.join("prometheus.yml");
    let text = std::fs::read_to_string(&path).unwrap();
    let own = "alerting: {alertmanagers: [{static_configs: [{targets: ['127.0.0.1:1']}]}]}\n";
    std::fs::write(path, format!("{own}{text}")).unwrap();
    let router = format!(
        "--alertmanager.config.file={}",
        folder.join("alertmanager.yml").display()
    );
    let daemon = Daemon::start(folder, free_port(), &[&router]);
    let has = |page: &str, wanted: &str| {
        let (name, labels) = wanted.split_once('{').unwrap_or((wanted, ""));
        page.lines().any(|line| {
            let end = line.find(['{', ' ']).unwrap_or(0);
            line.get(..end) == Some(name)
                && labels.trim_end_matches('}').split(',').all(|label| {
                    label.is_empty()
                        || line.contains(&format!("{{{label}=\""))
                        || line.contains(&format!(",{label}=\""))
                })
        })
    };
    let missing = || -> Vec<&str> {
        let page = request(daemon.port, "GET", "/metrics", "").unwrap().1;
        let all = MIXINS.split_whitespace();
        all.filter(|wanted| !has(&page, wanted)).collect()
    };
    // The first scrapes, refreshes and evaluations bring the last of them.
    let began = std::time::Instant::now();
    while !missing().is_empty() {
        assert!(began.elapsed() < LONG, "missing: {:?}", missing());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A process that is killed when the test is over, however it ends.
struct Killed(std::process::Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn watched_tests_run_again_when_a_rule_changes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write(
        "r.yml",
        "groups:\n- name: g\n  rules: [{alert: Down, expr: up == 0}]\n",
    );
    write(
        "t.yml",
        "rule_files: [r.yml]\ntests:\n- input_series: [{series: up, values: '0'}]\n  alert_rule_test: [{eval_time: 0m, alertname: Down, exp_alerts: [{}]}]\n",
    );
    let out = std::fs::File::create(folder.path().join("out.txt")).unwrap();
    let child = std::process::Command::new(support::watchfire())
        .args(["test", "rules", "--watch", "t.yml"])
        .current_dir(folder.path())
        .stdout(out)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let _child = Killed(child);
    let said = || std::fs::read_to_string(folder.path().join("out.txt")).unwrap();
    let waits = |times: usize| said().matches("Waiting for a change").count() >= times;
    wait_for("the first run", Duration::from_mins(2), || waits(1));
    assert!(said().contains("SUCCESS"), "{}", said());
    write(
        "r.yml",
        "groups:\n- name: g\n  rules: [{alert: Down, expr: up == 0, for: 1m}]\n",
    );
    wait_for("the second run", Duration::from_mins(2), || waits(2));
    assert!(said().contains("FAILED"), "{}", said());
}

#[test]
fn top_shows_who_uses_the_memory() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let target = exporter();
    write_config(folder, target.port, 9);
    let port = free_port();
    let _daemon = Daemon::start(folder, port, &["--memory.limit=4GB"]);
    wait_for("a scrape", Duration::from_mins(2), || {
        !shown(port).is_empty()
    });
    let top = |url: &str| {
        let out = std::process::Command::new(support::watchfire())
            .args(["tsdb", "top", "--limit=2", url])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        (out.status.code(), text)
    };
    let (code, page) = top(&format!("http://127.0.0.1:{port}"));
    assert_eq!(code, Some(0), "{page}");
    for part in [
        "memory ",
        "sheds nothing",
        "SAMPLES IN MEMORY  JOB",
        "page",
        "METRIC",
        "gauge",
    ] {
        assert!(page.contains(part), "{part:?} is missing in {page}");
    }
    assert!(!page.contains('\x1b'), "printed once, for no terminal");
    assert_eq!(top(&format!("http://127.0.0.1:{}", free_port())).0, Some(1));
}

/// A query that runs until somebody stops it: it has only steps to walk.
const ENDLESS: &str = "count_over_time((vector(time()) > 1e18)[290y:1ms])";

#[test]
fn queries_are_logged_stop_with_their_client_and_are_told_of_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let log = folder.join("query.log");
    let config = "global: {evaluation_interval: 200ms, query_log_file: query.log}\nrule_files: [rules.yaml]\n";
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let rules = "groups:\n- name: g\n  rules: [{record: r, expr: vector( 1 )}]\n";
    std::fs::write(folder.join("rules.yaml"), rules).unwrap();
    let port = free_port();
    let daemon = Daemon::start(folder, port, &["--web.enable-lifecycle"]);
    let logged = |path: &Path, text: &str| {
        std::fs::read_to_string(path).is_ok_and(|lines| lines.lines().any(|l| l.contains(text)))
    };
    wait_for("a rule's query in the log", Duration::from_mins(1), || {
        logged(&log, "\"query\":\"vector(1)\"") && logged(&log, "\"ruleGroup\":{\"file\":\"")
    });
    // A client asks and goes.
    let mut client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    let path = format!("/api/v1/query?query={}", support::escape(ENDLESS));
    write!(client, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let active = folder.join("data/queries.active");
    let runs = || {
        let list = std::fs::read(&active).unwrap_or_default();
        String::from_utf8_lossy(&list).contains("290y:1ms")
    };
    wait_for("the query to run", Duration::from_mins(1), runs);
    drop(client);
    wait_for("the query to be cancelled", Duration::from_mins(1), || {
        logged(
            &log,
            "\"error\":\"query was canceled in expression evaluation\"",
        ) && !runs()
    });
    // Rotation: a reload goes on in a new file.
    let old = folder.join("old.log");
    std::fs::rename(&log, &old).unwrap();
    assert_eq!(request(port, "POST", "/-/reload", "").unwrap().0, 200);
    wait_for("the new log", Duration::from_mins(1), || {
        logged(&log, "vector(1)")
    });
    // What runs at a crash is told at the next start.
    let mut client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(client, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    wait_for("the query to run again", Duration::from_mins(1), runs);
    daemon.process.kill();
    drop(client);
    let _daemon = Daemon::start(folder, port, &[]);
    let told = "These queries didn't finish in prometheus' last run:";
    assert!(logged(&folder.join("watchfire.log"), told));
}

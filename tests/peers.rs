//! Tests against real peers: exporters as targets, Prometheus beside us. `../shared/oracle/get-peers.sh FOLDER` brings them;
//! `WATCHFIRE_PEERS=FOLDER` says where they are. Skipped with a clear line where they are missing.
#![allow(clippy::unwrap_used, reason = "a broken set-up must stop the test")]
#![allow(
    unreachable_pub,
    reason = "modules of a test binary have nobody outside"
)]
#![allow(
    clippy::disallowed_methods,
    reason = "real processes live on the real clock and disk"
)]

#[path = "peers/amtool.rs"]
mod amtool;
#[path = "peers/config_show.rs"]
mod config_show;
#[path = "peers/matcher_modes.rs"]
mod matcher_modes;
#[path = "peers/math.rs"]
mod math;
#[path = "peers/pages.rs"]
mod pages;
#[path = "peers/protobuf.rs"]
mod protobuf;
#[path = "peers/queries.rs"]
mod queries;
#[path = "peers/scrape_edges.rs"]
mod scrape_edges;
mod support;

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::{Daemon, Process, Server, api, free_port, peer, query, request, wait_for};

fn node_exporter(port: u16, folder: &Path) -> Option<Process> {
    let args = [
        format!("--web.listen-address=127.0.0.1:{port}"),
        "--collector.disable-defaults".to_owned(),
        "--collector.loadavg".to_owned(),
    ];
    Some(Process::start(
        &peer("prometheus-node-exporter")?,
        &args,
        &folder.join("node.log"),
    ))
}

fn etcd(port: u16, peer_port: u16, folder: &Path) -> Option<Process> {
    let url = |port| format!("http://127.0.0.1:{port}");
    let args = [
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={}", url(port)),
        format!("--advertise-client-urls={}", url(port)),
        format!("--listen-peer-urls={}", url(peer_port)),
        format!("--initial-advertise-peer-urls={}", url(peer_port)),
        format!("--initial-cluster=default={}", url(peer_port)),
    ];
    Some(Process::start(
        &peer("etcd")?,
        &args,
        &folder.join("etcd.log"),
    ))
}

/// The essential pack with every `for` cut to two seconds.
fn short_pack() -> String {
    let pack = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("alert-rules/essential.yaml"),
    )
    .unwrap();
    pack.lines()
        .map(|line| {
            if line.trim_start().starts_with("for:") {
                "        for: 2s"
            } else {
                line
            }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_up(port: u16, job: &str) -> bool {
    query(port, &format!("up{{job=\"{job}\"}}"))
        .iter()
        .any(|sample| sample["value"][1] == "1")
}

fn count(inbox: &Server, alert: &str, status: &str) -> usize {
    let bodies = inbox.notifications();
    let alerts = bodies
        .iter()
        .flat_map(|body| body["alerts"].as_array().cloned().unwrap_or_default());
    alerts
        .filter(|a| a["labels"]["alertname"] == alert && a["status"] == status)
        .count()
}

#[test]
fn alerts_fire_once_when_etcd_and_a_node_stop_and_resolve_when_they_return() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (node_port, etcd_port, etcd_peer) = (free_port(), free_port(), free_port());
    let (Some(node), Some(member)) = (
        node_exporter(node_port, folder),
        etcd(etcd_port, etcd_peer, folder),
    ) else {
        return;
    };
    let inbox = Server::start(|_| String::new());
    std::fs::write(folder.join("rules.yaml"), short_pack()).unwrap();
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\nrule_files: [rules.yaml]\nscrape_configs:\n\
         - {{job_name: etcd, static_configs: [{{targets: ['127.0.0.1:{etcd_port}']}}]}}\n\
         - {{job_name: node, static_configs: [{{targets: ['127.0.0.1:{node_port}']}}]}}\n"
    );
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let router = format!(
        "route: {{receiver: hook, group_by: [alertname], group_wait: 1s, group_interval: 1s, repeat_interval: 1h}}\n\
         receivers: [{{name: hook, webhook_configs: [{{url: 'http://127.0.0.1:{}/hook', send_resolved: true}}]}}]\n",
        inbox.port
    );
    std::fs::write(folder.join("alertmanager.yml"), router).unwrap();
    let router_flag = format!(
        "--alertmanager.config.file={}",
        folder.join("alertmanager.yml").display()
    );
    let daemon = Daemon::start(folder, free_port(), &[&router_flag]);
    wait_for("both targets to be up", Duration::from_mins(1), || {
        is_up(daemon.port, "etcd") && is_up(daemon.port, "node")
    });
    node.kill();
    member.kill();
    wait_for("both alerts to arrive", Duration::from_mins(1), || {
        count(&inbox, "etcdDown", "firing") > 0 && count(&inbox, "NodeDown", "firing") > 0
    });
    // Three more group intervals: nothing may be repeated before repeat_interval.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(
        (
            count(&inbox, "etcdDown", "firing"),
            count(&inbox, "NodeDown", "firing")
        ),
        (1, 1)
    );
    let _node = node_exporter(node_port, folder);
    let _member = etcd(etcd_port, etcd_peer, folder);
    wait_for("both alerts to resolve", Duration::from_mins(1), || {
        count(&inbox, "etcdDown", "resolved") > 0 && count(&inbox, "NodeDown", "resolved") > 0
    });
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(
        (
            count(&inbox, "etcdDown", "resolved"),
            count(&inbox, "NodeDown", "resolved")
        ),
        (1, 1)
    );
}

/// Takes out what differs from run to run: times, durations, errors' words.
fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Object(fields) => {
            for name in [
                "lastScrape",
                "lastScrapeDuration",
                "evaluationTime",
                "lastEvaluation",
                "activeAt",
                "value",
                "keepFiringSince",
            ] {
                fields.remove(name);
            }
            let cleaned = fields
                .iter()
                .map(|(name, value)| (name.clone(), without_times(value.clone())));
            Value::Object(cleaned.collect())
        }
        Value::Array(items) => {
            let mut items: Vec<Value> = items
                .iter()
                .map(|item| without_times(item.clone()))
                .collect();
            items.sort_by_key(ToString::to_string);
            Value::Array(items)
        }
        _ => value,
    }
}

/// Sorts the fields of objects, so that order does not count.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let sorted: std::collections::BTreeMap<_, _> = fields
                .iter()
                .map(|(name, value)| (name.clone(), canonical(value)))
                .collect();
            json!(sorted)
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        _ => value.clone(),
    }
}

#[test]
fn a_prometheus_beside_us_sees_the_same_targets_rules_and_series() {
    let Some(prometheus) = peer("prometheus") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let node_port = free_port();
    let Some(_node) = node_exporter(node_port, folder) else {
        return;
    };
    let page = Server::start(|_| {
        "# HELP things_total Things.\n# TYPE things_total counter\nthings_total{kind=\"a\",instance=\"mine\"} 5\nthings_total{kind=\"b\"} 7\nbroken_job 1\n".to_owned()
    });
    std::fs::write(folder.join("rules.yaml"), short_pack()).unwrap();
    std::fs::write(
        folder.join("more.yaml"),
        "groups:\n- name: more\n  interval: 2s\n  limit: 10\n  labels: {team: a}\n  rules:\n  - {record: 'things:sum', expr: 'sum by (kind) (things_total)', labels: {x: y}}\n  \
         - {alert: ManyThings, expr: 'things_total > 6', keep_firing_for: 1m, labels: {severity: '{{ $labels.kind }}'}, annotations: {summary: '{{ $value }} of {{ $labels.kind }}'}}\n",
    )
    .unwrap();
    let config = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s, external_labels: {{cluster: test}}}}\nrule_files: ['*.yaml']\nscrape_configs:\n\
         - {{job_name: node, static_configs: [{{targets: ['127.0.0.1:{node_port}'], labels: {{zone: a}}}}]}}\n\
         - job_name: page\n  params: {{module: [x]}}\n  metrics_path: /probe\n  static_configs: [{{targets: ['127.0.0.1:{page}']}}]\n  metric_relabel_configs:\n  - {{source_labels: [kind], target_label: sort}}\n\
         - {{job_name: honest, honor_labels: true, static_configs: [{{targets: ['127.0.0.1:{page}']}}]}}\n\
         - job_name: dropped\n  static_configs: [{{targets: ['127.0.0.1:1']}}]\n  relabel_configs: [{{action: drop, source_labels: [__address__], regex: '.*'}}]\n",
        page = page.port
    );
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    let theirs = free_port();
    let args = [
        format!("--config.file={}", folder.join("prometheus.yml").display()),
        format!("--storage.tsdb.path={}", folder.join("theirs").display()),
        format!("--web.listen-address=127.0.0.1:{theirs}"),
    ];
    let _prometheus = Process::start(&prometheus, &args, &folder.join("prometheus.log"));
    let ours = Daemon::start(folder, free_port(), &[]);
    for port in [theirs, ours.port] {
        wait_for("rules and targets", Duration::from_mins(1), || {
            query(
                port,
                "ALERTS{alertname=\"ManyThings\",alertstate=\"firing\"}",
            )
            .len()
                >= 2
                && is_up(port, "node")
                && is_up(port, "honest")
                && !query(port, "things:sum").is_empty()
        });
    }
    for path in [
        "/api/v1/targets",
        "/api/v1/rules",
        "/api/v1/alerts",
        "/api/v1/labels",
        "/api/v1/label/__name__/values",
    ] {
        compare(path, theirs, ours.port);
    }
    for selector in [
        "{job=\"page\"}",
        "{job=\"honest\"}",
        "up",
        "{__name__=~\"scrape_.*\"}",
        "{__name__=~\"ALERTS|things:sum\"}",
        "{job=\"node\",__name__!~\"go_.*|process_.*\"}",
    ] {
        compare(
            &format!("/api/v1/series?match[]={}", support::escape(selector)),
            theirs,
            ours.port,
        );
    }
}

fn compare(path: &str, theirs: u16, ours: u16) {
    let both = [theirs, ours].map(|port| {
        canonical(&without_times(
            api(port, path).unwrap_or_else(|| panic!("no answer to {path}")),
        ))
    });
    assert!(
        both[0] == both[1],
        "{path} differs\nPrometheus: {:#}\nwatchfire:  {:#}",
        both[0],
        both[1]
    );
}

#[test]
fn amtool_works_against_us() {
    let Some(amtool) = peer("amtool") else { return };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("prometheus.yml"), "global: {}\n").unwrap();
    std::fs::write(
        folder.join("alertmanager.yml"),
        "route: {receiver: none}\nreceivers: [{name: none}]\n",
    )
    .unwrap();
    let router_flag = format!(
        "--alertmanager.config.file={}",
        folder.join("alertmanager.yml").display()
    );
    let daemon = Daemon::start(folder, free_port(), &[&router_flag]);
    let run = |args: &[&str]| {
        let out = std::process::Command::new(&amtool)
            .arg(format!(
                "--alertmanager.url=http://127.0.0.1:{}",
                daemon.port
            ))
            .args(args)
            .output()
            .unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&out.stdout).into_owned()
                + &String::from_utf8_lossy(&out.stderr),
        )
    };
    assert!(
        run(&[
            "alert",
            "add",
            "alertname=Fire",
            "room=kitchen",
            "--annotation=summary=hot"
        ])
        .0
    );
    wait_for("the alert to be listed", Duration::from_secs(10), || {
        run(&["alert", "query", "room=kitchen"]).1.contains("Fire")
    });
    let (ok, id) = run(&[
        "silence",
        "add",
        "alertname=Fire",
        "--author=me",
        "--comment=known",
        "--duration=1h",
    ]);
    assert!(ok, "{id}");
    let id = id.lines().next().unwrap_or_default();
    let (ok, listed) = run(&["silence", "query"]);
    assert!(ok && listed.contains(id.trim()), "{listed}");
    wait_for("the alert to be silenced", Duration::from_secs(10), || {
        run(&["alert", "query", "--silenced"]).1.contains("Fire")
    });
    let (ok, text) = run(&["silence", "expire", id.trim()]);
    assert!(ok, "{text}");
    let (ok, text) = run(&["config", "show"]);
    assert!(ok && text.contains("receiver: none"), "{text}");
    assert_eq!(
        request(daemon.port, "GET", "/api/v2/silence/not-an-id", "")
            .unwrap()
            .0,
        422
    );
}

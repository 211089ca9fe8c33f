//! Queries against a real Prometheus beside us, over the same samples: the compliance suite's queries over data of
//! its shape, and every expression of the rules in the wild over scrapes of real exporters.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message as _;
use serde_json::Value;
use watchfire::codec::prompb;
use watchfire::exposition::{Entry, Format, Parser, ParserOptions};
use watchfire::model::{Labels, SampleValue};
use watchfire::rules::file::{self, FileOptions};

use crate::support::{
    Daemon, Process, api, escape, free_port, peer, request, request_bytes, say, wait_for,
};
use crate::{etcd, node_exporter};

/// Samples of series by time, to be sent to both servers.
pub type Data = BTreeMap<i64, Vec<(Labels, f64)>>;

/// A Prometheus and a watchfire with the same features that take the same samples.
pub struct Pair {
    pub theirs: u16,
    pub ours: Daemon,
    _prometheus: Process,
}

impl Pair {
    /// Starts both; none without a Prometheus.
    pub fn start(folder: &Path) -> Option<Self> {
        let prometheus = peer("prometheus")?;
        std::fs::write(folder.join("prometheus.yml"), "global: {}\n").unwrap();
        let features = "--enable-feature=promql-experimental-functions";
        let receiver = "--web.enable-remote-write-receiver";
        let theirs = free_port();
        let args = [
            format!("--config.file={}", folder.join("prometheus.yml").display()),
            format!("--storage.tsdb.path={}", folder.join("theirs").display()),
            format!("--web.listen-address=127.0.0.1:{theirs}"),
            features.to_owned(),
            receiver.to_owned(),
        ];
        let process = Process::start(&prometheus, &args, &folder.join("prometheus.log"));
        let ours = Daemon::start(folder, free_port(), &[features, receiver]);
        wait_for("Prometheus to be ready", Duration::from_mins(2), || {
            request(theirs, "GET", "/-/ready", "").is_some_and(|(status, _)| status == 200)
        });
        Some(Self {
            theirs,
            ours,
            _prometheus: process,
        })
    }

    /// Sends everything to both, the oldest first.
    pub fn load(&self, data: &Data) {
        for (time, samples) in data {
            let timeseries = samples.iter().map(|(labels, value)| prompb::TimeSeries {
                labels: labels
                    .iter()
                    .map(|(name, value)| prompb::Label {
                        name: name.to_owned(),
                        value: value.to_owned(),
                    })
                    .collect(),
                samples: vec![prompb::Sample {
                    value: *value,
                    timestamp: *time,
                }],
                ..prompb::TimeSeries::default()
            });
            let message = prompb::WriteRequest {
                timeseries: timeseries.collect(),
                ..prompb::WriteRequest::default()
            };
            let body = snap::raw::Encoder::new()
                .compress_vec(&message.encode_to_vec())
                .unwrap();
            for port in [self.theirs, self.ours.port] {
                let headers = "Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\nX-Prometheus-Remote-Write-Version: 0.1.0\r\n";
                let answer = request_bytes(port, "POST", "/api/v1/write", headers, &body);
                let (status, text) = answer.expect("an answer");
                assert!(status < 300, "remote write to port {port}: {status} {text}");
            }
        }
    }

    /// What differs between the answers to the same request; none when nothing does.
    fn difference(&self, path: &str, form: &str) -> Option<String> {
        let [theirs, ours] = [self.theirs, self.ours.port].map(|port| {
            let (status, body) = request(port, "POST", path, form).expect("an answer");
            let body = serde_json::from_str::<Value>(&body)
                .unwrap_or_else(|e| panic!("port {port}, {path}?{form}: {e}: {body}"));
            (status, body)
        });
        if theirs.0 != ours.0 || theirs.1["errorType"] != ours.1["errorType"] {
            return Some(format!(
                "{} {}\nours {} {}",
                theirs.0, theirs.1, ours.0, ours.1
            ));
        }
        let why = unlike(&sorted(&theirs.1["data"]), &sorted(&ours.1["data"]))?;
        Some(format!("theirs against ours: {why}"))
    }
}

/// The data with its series in an order that both have.
fn sorted(data: &Value) -> Value {
    let mut data = data.clone();
    if let Some(Value::Array(list)) = data.get_mut("result") {
        list.sort_by_key(|series| crate::canonical(&series["metric"]).to_string());
    }
    data
}

/// The first difference between two values; texts that are numbers may differ by what rounding does.
fn unlike(a: &Value, b: &Value) -> Option<String> {
    match (a, b) {
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            x.iter().zip(y).find_map(|(x, y)| unlike(x, y))
        }
        (Value::Object(x), Value::Object(y)) if x.len() == y.len() => x
            .iter()
            .find_map(|(name, value)| unlike(value, y.get(name).unwrap_or(&Value::Null))),
        (Value::String(x), Value::String(y)) if x != y => {
            let close = match (x.parse::<f64>(), y.parse::<f64>()) {
                (Ok(x), Ok(y)) => (x - y).abs() <= 1e-9 * x.abs().max(y.abs()),
                _ => false,
            };
            (!close).then(|| format!("{x:?} {y:?}"))
        }
        _ => (a != b).then(|| {
            let cut = |v: &Value| v.to_string().chars().take(600).collect::<String>();
            format!("{} {}", cut(a), cut(b))
        }),
    }
}

pub fn now_s() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    now.as_secs() as i64
}

fn conformance() -> Option<PathBuf> {
    let folder = std::env::var_os("WATCHFIRE_CONFORMANCE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance"),
        PathBuf::from,
    );
    if folder.is_dir() {
        return Some(folder);
    }
    say(&format!(
        "conformance data not found at {}: skipped",
        folder.display()
    ));
    None
}

/// Metrics as those of the demo service that the compliance suite asks about: three instances, a sample every 15
/// seconds, resets, gaps and an instance that goes away for a while.
fn demo_data(start_s: i64, end_s: i64) -> Data {
    let mut data = Data::new();
    for (index, at) in (start_s..=end_s).step_by(15).enumerate() {
        let n = index as f64;
        let mut samples = Vec::new();
        for instance in 0..3_u32 {
            if instance == 2 && (60..80).contains(&index) {
                continue;
            }
            let host = format!("demo.promlabs.com:1000{instance}");
            let i = f64::from(instance);
            let mut add = |name: &str, more: &[(&str, &str)], value: f64| {
                let mut pairs = vec![
                    ("__name__", name),
                    ("instance", host.as_str()),
                    ("job", "demo"),
                ];
                pairs.extend(more);
                samples.push((Labels::from_pairs(pairs), value));
            };
            for (k, kind) in ["buffers", "cached", "free", "used"]
                .into_iter()
                .enumerate()
            {
                let wave = (n / 7.0 + i + k as f64).sin();
                add(
                    "demo_memory_usage_bytes",
                    &[("type", kind)],
                    1e9 * (2.0 + wave + i),
                );
            }
            for (k, mode) in ["idle", "system", "user"].into_iter().enumerate() {
                let reset = if instance == 1 && index > 150 {
                    n - 150.0
                } else {
                    n
                };
                let value = reset * (3.0 + i + k as f64) + (n / 3.0).sin();
                add("demo_cpu_usage_seconds_total", &[("mode", mode)], value);
            }
            add("demo_disk_usage_bytes", &[], 1e11 + n * 1e6 * (i + 1.0));
            add("demo_num_cpus", &[], 4.0);
            let done = start_s + 600 * (at - start_s).div_euclid(600);
            add(
                "demo_batch_last_success_timestamp_seconds",
                &[],
                done as f64,
            );
            if index % 9 < 6 {
                add("demo_intermittent_metric", &[], n % 5.0);
            }
            for (m, method) in ["GET", "POST"].into_iter().enumerate() {
                for status in ["200", "500"] {
                    let mut below = 0.0;
                    for (k, le) in ["0.0001", "0.00015", "0.01", "0.1", "1", "+Inf"]
                        .into_iter()
                        .enumerate()
                    {
                        below += (n * (k + m + 1) as f64).floor()
                            + if status == "500" { 0.0 } else { n };
                        let labels = [
                            ("method", method),
                            ("status", status),
                            ("path", "/api/foo"),
                            ("le", le),
                        ];
                        add("demo_api_request_duration_seconds_bucket", &labels, below);
                    }
                }
            }
        }
        data.insert(at * 1000, samples);
    }
    data
}

#[test]
fn compliance_queries_agree_with_prometheus() {
    let Some(conformance) = conformance() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = Pair::start(folder.path()) else {
        return;
    };
    let end = now_s() / 60 * 60;
    pair.load(&demo_data(end - 90 * 60, end));
    let path = conformance.join("compliance/promql/expanded_queries.json");
    let queries: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let mut differing = Vec::new();
    let mut answered = 0;
    for query in &queries {
        let text = query["query"].as_str().unwrap();
        // The suite's window: ten minutes that end twelve minutes ago, by steps of ten seconds.
        let (from, to) = (end - 22 * 60, end - 12 * 60);
        let form = format!("query={}&start={from}&end={to}&step=10", escape(text));
        if let Some(why) = pair.difference("/api/v1/query_range", &form) {
            differing.push(format!("{text}: {why}"));
        }
        let (_, body) = request(pair.ours.port, "POST", "/api/v1/query_range", &form).unwrap();
        answered += usize::from(!body.contains("\"result\":[]"));
    }
    say(&format!(
        "compliance: {} queries, {answered} with an answer, {} differ",
        queries.len(),
        differing.len()
    ));
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// The samples of a page, for a target of this job.
fn page_samples(page: &str, job: &str) -> Vec<(Labels, f64)> {
    let options = ParserOptions {
        type_and_unit_labels: false,
        ignore_native_histograms: true,
        convert_classic_histograms: false,
        keep_classic_histograms: false,
        start_timestamps: false,
    };
    let mut parser = Parser::new(page.as_bytes(), Format::PrometheusText, options);
    let mut samples = Vec::new();
    while let Some(entry) = parser.next().expect("a good page") {
        if let Entry::Sample { series, value } = entry
            && let SampleValue::Float(value) = value
        {
            let instance = format!("{job}:9090");
            let labels = series.labels().expect("good labels");
            let own = [("instance", instance.as_str()), ("job", job)];
            samples.push((Labels::from_pairs(labels.iter().chain(own)), value));
        }
    }
    samples.push((
        Labels::from_pairs([
            ("__name__", "up"),
            ("instance", &format!("{job}:9090")),
            ("job", job),
        ]),
        1.0,
    ));
    samples
}

/// Every expression of a rule in the files under `folder` that parses here.
fn expressions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // The dialect of another program.
            if !path.ends_with("victoriametrics") {
                expressions(&path, found);
            }
            continue;
        }
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        if let Ok(file) = file::parse(&text, &FileOptions::default()) {
            let rules = file.groups.iter().flat_map(|group| &group.rules);
            found.extend(rules.map(|rule| rule.expr.to_string()));
        }
    }
}

#[test]
fn rules_in_the_wild_evaluate_as_in_prometheus_over_real_scrapes() {
    let Some(conformance) = conformance() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let Some(pair) = Pair::start(folder) else {
        return;
    };
    let (node_port, etcd_port, etcd_peer, manager_port) =
        (free_port(), free_port(), free_port(), free_port());
    let (Some(_node), Some(_member), Some(manager)) = (
        node_exporter(node_port, folder),
        etcd(etcd_port, etcd_peer, folder),
        peer("prometheus-alertmanager"),
    ) else {
        return;
    };
    std::fs::write(
        folder.join("manager.yml"),
        "route: {receiver: none}\nreceivers: [{name: none}]\n",
    )
    .unwrap();
    let args = [
        format!("--config.file={}", folder.join("manager.yml").display()),
        format!("--storage.path={}", folder.join("manager").display()),
        format!("--web.listen-address=127.0.0.1:{manager_port}"),
        "--cluster.listen-address=".to_owned(),
    ];
    let _manager = Process::start(&manager, &args, &folder.join("manager.log"));
    let targets = [
        ("node", node_port),
        ("node-exporter", node_port),
        ("etcd", etcd_port),
        ("alertmanager", manager_port),
        ("prometheus", pair.theirs),
    ];
    for (job, port) in targets {
        wait_for(job, Duration::from_mins(1), || {
            request(port, "GET", "/metrics", "").is_some_and(|(status, _)| status == 200)
        });
    }
    // Eight rounds of real pages, stamped as if they were half a minute apart.
    let end = now_s() / 60 * 60;
    let mut data = Data::new();
    for round in 0..8 {
        let mut samples = Vec::new();
        for (job, port) in targets {
            let (_, page) = request(port, "GET", "/metrics", "").unwrap();
            samples.extend(page_samples(&page, job));
        }
        data.insert((end - 30 * (7 - round)) * 1000, samples);
    }
    pair.load(&data);
    let mut found = BTreeSet::new();
    expressions(&conformance.join("rules-wild"), &mut found);
    let (mut differing, mut answered) = (Vec::new(), 0);
    for text in &found {
        let query = escape(text);
        let instant = format!("query={query}&time={end}");
        let checks = [
            ("/api/v1/query", instant.clone()),
            ("/api/v1/format_query", format!("query={query}")),
        ];
        for (path, form) in checks {
            if let Some(why) = pair.difference(path, &form) {
                differing.push(format!("{path} {text}: {why}"));
            }
        }
        let data = api(pair.ours.port, &format!("/api/v1/query?{instant}")).unwrap();
        if data["result"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
        {
            answered += 1;
            let range = format!("query={query}&start={}&end={end}&step=20", end - 240);
            if let Some(why) = pair.difference("/api/v1/query_range", &range) {
                differing.push(format!("range {text}: {why}"));
            }
        }
    }
    say(&format!(
        "rules in the wild: {} expressions, {answered} with an answer, {} differ",
        found.len(),
        differing.len()
    ));
    assert!(found.len() > 1000, "{} expressions", found.len());
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

//! Tricky pages served to a Prometheus and to us: what is made of them must be the same.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tempfile::TempDir;

use crate::pages::{Page, Pages};
use crate::protobuf;
use crate::support::{Daemon, Process, api, escape, free_port, peer, wait_for};
use crate::{canonical, without_times};

/// A Prometheus and us, scraping the same pages.
struct Both {
    ports: [u16; 2],
    now: i64,
    _folder: TempDir,
    _pages: Pages,
    _theirs: Process,
    _ours: Daemon,
}

impl Both {
    /// Starts both with these jobs and features, and waits until each has scraped each job several times.
    /// None where no Prometheus is at hand.
    fn start(edges: &[&Edge], features: &str) -> Option<Self> {
        let prometheus = peer("prometheus")?;
        let folder = tempfile::tempdir().unwrap();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(since.as_secs()).unwrap();
        let pages =
            Pages::start(move |path, before| page(path.trim_start_matches('/'), before, now));
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("theirs.yml"), config(edges, pages.port, false)).unwrap();
        std::fs::write(path("prometheus.yml"), config(edges, pages.port, true)).unwrap();
        let port = free_port();
        let features = format!("--enable-feature={features}");
        let args = [
            format!("--config.file={}", path("theirs.yml").display()),
            format!("--storage.tsdb.path={}", path("theirs").display()),
            format!("--web.listen-address=127.0.0.1:{port}"),
            features.clone(),
        ];
        let theirs = Process::start(&prometheus, &args, &path("prometheus.log"));
        let ours = Daemon::start(folder.path(), free_port(), &[&features]);
        wait_for("both to scrape everything", Duration::from_mins(2), || {
            edges
                .iter()
                .filter(|edge| edge.name != "targets")
                .all(|edge| pages.were_visited(&format!("/{}", edge.name), 2, 5))
        });
        Some(Self {
            ports: [port, ours.port],
            now,
            _folder: folder,
            _pages: pages,
            _theirs: theirs,
            _ours: ours,
        })
    }
}

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A job: its path, and what its entry says beside name, path and target.
struct Edge {
    name: &'static str,
    options: &'static str,
    /// What the entry says for us alone, where 3.14 wants a word that 3.5 does not know.
    ours: &'static str,
}

const fn edge(name: &'static str, options: &'static str) -> Edge {
    Edge {
        name,
        options,
        ours: "",
    }
}

const fn native(name: &'static str, options: &'static str) -> Edge {
    Edge {
        name,
        options,
        ours: "scrape_native_histograms: true",
    }
}

const EDGES: &[Edge] = &[
    edge("conflicts", ""),
    edge("conflicts-honored", "honor_labels: true"),
    edge(
        "relabeled",
        "metric_relabel_configs: [{action: labeldrop, regex: 'exported_.*'}, {source_labels: [kind], regex: b, action: drop}, {source_labels: [__name__, kind], target_label: both}]",
    ),
    edge("timestamps", ""),
    edge("timestamps-ignored", "honor_timestamps: false"),
    edge("vanishing", ""),
    edge("vanishing-tracked", "track_timestamps_staleness: true"),
    edge("many", "sample_limit: 10"),
    edge("many-enough", "sample_limit: 20"),
    edge("labels-count", "label_limit: 4"),
    edge("labels-names", "label_name_length_limit: 12"),
    edge("labels-values", "label_value_length_limit: 18"),
    edge("large", "body_size_limit: 100B"),
    edge("targets", "target_limit: 1"),
    edge("openmetrics", ""),
    edge("openmetrics-broken", ""),
    edge("classic", ""),
    edge(
        "classic-converted",
        "convert_classic_histograms_to_nhcb: true",
    ),
    edge(
        "classic-both",
        "convert_classic_histograms_to_nhcb: true, always_scrape_classic_histograms: true",
    ),
    native("native", ""),
    native("native-both", "always_scrape_classic_histograms: true"),
    native("native-limited", "native_histogram_bucket_limit: 2"),
    edge("utf8", ""),
    edge(
        "utf8-legacy",
        "metric_name_validation_scheme: legacy, metric_name_escaping_scheme: underscores",
    ),
    edge("html", ""),
    edge(
        "html-fallback",
        "fallback_scrape_protocol: PrometheusText0.0.4",
    ),
    edge("typeless", ""),
    edge(
        "typeless-fallback",
        "fallback_scrape_protocol: OpenMetricsText1.0.0",
    ),
    edge("gzip", ""),
    edge("gzip-unasked", "enable_compression: false"),
    edge("broken", ""),
    edge("empty", ""),
    edge("missing", ""),
    edge("odd-numbers", ""),
];

fn page(name: &str, before: u32, now: i64) -> Page {
    let ms = now * 1000;
    match name {
        "conflicts" | "conflicts-honored" | "relabeled" => Page::text(
            "# HELP c Conflicts.\n# TYPE c gauge\n\
             c{job=\"inner\",instance=\"mine\",exported_job=\"deep\"} 1\n\
             c{exported_job=\"only\",zone=\"page\"} 2\n\
             c{exported_exported_job=\"x\",job=\"y\",kind=\"a\"} 3\n\
             c{a=\"\",job=\"\",kind=\"b\"} 4\n\
             c{kind=\"twice\"} 5\nc{kind=\"twice\"} 6\n",
        ),
        "timestamps" | "timestamps-ignored" => Page::text(format!(
            "t{{kind=\"past\"}} 1 {}\nt{{kind=\"now\"}} 2\nt{{kind=\"future\"}} 3 {}\n",
            ms - 20_000,
            ms + 3_600_000,
        )),
        "vanishing" | "vanishing-tracked" => {
            let mut body = format!(
                "v{{kind=\"stays\"}} 1\nv{{kind=\"timed-stays\"}} 1 {}\n",
                ms - 5000
            );
            if before < 2 {
                let _ = write!(
                    body,
                    "v{{kind=\"goes\"}} 1\nv{{kind=\"timed-goes\"}} 1 {}\n",
                    ms - 5000
                );
            }
            Page::text(body)
        }
        "many" | "many-enough" => Page::text((0..15).fold(String::new(), |page, i| {
            format!("{page}m{{i=\"{i}\"}} {i}\n")
        })),
        "labels-count" => Page::text("l{a=\"1\",b=\"2\"} 1\n"),
        "labels-names" => Page::text("l{a_rather_long_name=\"1\"} 1\n"),
        "labels-values" => Page::text("l{a=\"a value that is too long\"} 1\n"),
        "large" => Page::text("x 1\n".repeat(100)),
        "openmetrics" => Page::of(
            OPENMETRICS,
            format!(
                "# HELP asked Times.\n# TYPE asked counter\n# UNIT asked_seconds seconds\n\
                 asked_total{{k=\"v\"}} 5 # {{trace_id=\"abc\"}} 0.5 {now}.25\nasked_created{{k=\"v\"}} {}\n\
                 # TYPE build info\nbuild_info{{version=\"1\"}} 1\n\
                 # TYPE mood stateset\nmood{{mood=\"good\"}} 1\nmood{{mood=\"bad\"}} 0\n\
                 # TYPE took histogram\ntook_bucket{{le=\"1\"}} 2 # {{trace_id=\"b1\"}} 0.7\ntook_bucket{{le=\"+Inf\"}} 3\ntook_count 3\ntook_sum 4.5\n\
                 # TYPE size gaugehistogram\nsize_bucket{{le=\"+Inf\"}} 3\nsize_gcount 3\nsize_gsum 4\n# EOF\n",
                now - 60
            ),
        ),
        "openmetrics-broken" => Page::of(OPENMETRICS, "a 1\n"),
        "classic" | "classic-converted" | "classic-both" => Page::text(
            "# HELP took Time.\n# TYPE took histogram\ntook_bucket{k=\"v\",le=\"1\"} 2\ntook_bucket{k=\"v\",le=\"2.5\"} 4\n\
             took_bucket{k=\"v\",le=\"+Inf\"} 5\ntook_count{k=\"v\"} 5\ntook_sum{k=\"v\"} 7.25\n\
             # TYPE other summary\nother{quantile=\"0.5\"} 1\nother_sum 2\nother_count 3\n",
        ),
        _ => odd_page(name, now),
    }
}

/// Pages that are no plain text.
fn odd_page(name: &str, now: i64) -> Page {
    match name {
        "native" | "native-both" | "native-limited" => {
            Page::of(protobuf::CONTENT_TYPE, protobuf::page(now - 60))
        }
        "utf8" | "utf8-legacy" => Page::of(
            "text/plain; version=1.0.0; escaping=allow-utf-8",
            "{\"a.b/c\",\"l.m\"=\"é\"} 1\nplain 2\n",
        ),
        "html" | "html-fallback" => Page::of("text/html", "a 1\n"),
        "typeless" | "typeless-fallback" => Page::of("", "a 1\n# EOF\n"),
        "gzip" | "gzip-unasked" => {
            let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packer.write_all(b"g 1\n").unwrap();
            let mut page = Page::text(packer.finish().unwrap());
            page.headers.push(("Content-Encoding", "gzip".to_owned()));
            page
        }
        "broken" => Page::text("a 1\nb{ 2\nc 3\n"),
        "empty" => Page::text(""),
        "missing" => Page {
            status: 404,
            ..Page::text("not here")
        },
        "odd-numbers" => Page::text(
            "n{k=\"1\"} NaN\nn{k=\"2\"} +Inf\nn{k=\"3\"} -0\nn{k=\"4\"} 1e-320\nn{k=\"5\"} 0x1p-2\n",
        ),
        _ => Page::text("ok 1\n"),
    }
}

fn config(edges: &[&Edge], port: u16, ours: bool) -> String {
    let mut text =
        "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n".to_owned();
    for edge in edges {
        let more = [edge.options, if ours { edge.ours } else { "" }]
            .into_iter()
            .filter(|part| !part.is_empty())
            .fold(String::new(), |all, part| format!("{all}, {part}"));
        let second = match edge.name {
            "targets" => format!(", 'localhost:{port}'"),
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "- {{job_name: {name}, metrics_path: /{name}, static_configs: [{{targets: ['127.0.0.1:{port}'{second}], labels: {{zone: ours}}}}]{more}}}",
            name = edge.name
        );
    }
    text.push_str(
        "- {job_name: dropped, keep_dropped_targets: 2, static_configs: [{targets: [a, b, c, d]}], relabel_configs: [{action: drop, source_labels: [__address__], regex: '.*'}]}\n",
    );
    text
}

/// What both say, taken again until it is the same: a scrape may lie between the two answers.
fn agree(path: &str, ports: [u16; 2], mistakes: &mut Vec<String>) {
    agree_on(path, ports, mistakes, &|answer| {
        canonical(&without_times(answer.clone()))
    });
}

fn agree_on(
    path: &str,
    ports: [u16; 2],
    mistakes: &mut Vec<String>,
    clean: &dyn Fn(&Value) -> Value,
) {
    let take = || ports.map(|port| clean(&api(port, path).unwrap_or_default()));
    for _ in 0..40 {
        let [theirs, ours] = take();
        if theirs == ours {
            return;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    let [theirs, ours] = take();
    if theirs != ours {
        mistakes.push(format!(
            "{path}\nPrometheus: {theirs:#}\nwatchfire:  {ours:#}"
        ));
    }
}

/// Values of an instant query without their times.
fn values(answer: &Value) -> Value {
    let mut rows: Vec<String> = answer["result"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| {
            let value = if row["histogram"].is_null() {
                &row["value"][1]
            } else {
                &row["histogram"][1]
            };
            canonical(&serde_json::json!([row["metric"], value])).to_string()
        })
        .collect();
    rows.sort();
    rows.into()
}

/// Samples of a range, their times included.
fn samples(answer: &Value) -> Value {
    canonical(&answer["result"])
}

fn query(expr: &str) -> String {
    format!("/api/v1/query?query={}", escape(expr))
}

/// Target pages: parse errors of ours go on to name the line, so only whether there is one counts there.
fn targets(answer: &Value) -> Value {
    let mut answer = without_times(answer.clone());
    for target in answer["activeTargets"].as_array_mut().into_iter().flatten() {
        let text = target["lastError"].as_str().unwrap_or_default().to_owned();
        let same_words = ["limit", "HTTP status", "Content-Type"];
        if !same_words.iter().any(|word| text.contains(word)) {
            target["lastError"] = text.is_empty().into();
        }
    }
    canonical(&answer)
}

fn report(mistakes: &[String]) {
    assert!(
        mistakes.is_empty(),
        "{} of our answers differ:\n{}",
        mistakes.len(),
        mistakes.join("\n\n")
    );
}

#[test]
fn tricky_pages_become_the_same_series_as_in_a_prometheus() {
    let edges: Vec<&Edge> = EDGES.iter().collect();
    let Some(both) = Both::start(&edges, "exemplar-storage,native-histograms") else {
        return;
    };
    let (ports, now, mut mistakes) = (both.ports, both.now, Vec::new());
    for edge in edges {
        let job = format!(
            "{{job=\"{}\",__name__!=\"scrape_duration_seconds\"}}",
            edge.name
        );
        agree_on(&query(&job), ports, &mut mistakes, &values);
        let series = format!("/api/v1/series?match[]={}", escape(&job));
        agree(&series, ports, &mut mistakes);
    }
    for honored in ["c{job=\"inner\"}", "c{job=\"y\"}", "c{instance=\"mine\"}"] {
        agree_on(&query(honored), ports, &mut mistakes, &values);
    }
    for timed in [
        "t{job=\"timestamps\",kind=\"past\"}[10m]",
        "v{kind=~\"timed.*\",job=\"vanishing\"}[10m]",
    ] {
        agree_on(&query(timed), ports, &mut mistakes, &samples);
    }
    let exemplars = format!(
        "/api/v1/query_exemplars?query={}&start={}&end={}",
        escape("asked_total{job=\"openmetrics\"}"),
        now - 5,
        now + 1
    );
    agree_on(&exemplars, ports, &mut mistakes, &canonical);
    for path in ["/api/v1/metadata", "/api/v1/targets/metadata"] {
        agree(path, ports, &mut mistakes);
    }
    agree_on("/api/v1/targets", ports, &mut mistakes, &targets);
    report(&mistakes);
}

#[test]
fn counters_begin_where_they_begin_in_a_prometheus() {
    let names = ["openmetrics", "native", "native-both"];
    let edges: Vec<&Edge> = EDGES.iter().filter(|e| names.contains(&e.name)).collect();
    let features = "native-histograms,created-timestamp-zero-ingestion";
    let Some(both) = Both::start(&edges, features) else {
        return;
    };
    let mut mistakes = Vec::new();
    for metric in ["asked_total", "latency_seconds", "latency_seconds_count"] {
        let range = query(&format!("{metric}[10s]"));
        let at = format!("{range}&time={}", both.now - 55);
        agree_on(&at, both.ports, &mut mistakes, &samples);
        agree_on(&query(metric), both.ports, &mut mistakes, &values);
    }
    let created = query("{__name__=~\".*_created\"}");
    agree_on(&created, both.ports, &mut mistakes, &values);
    report(&mistakes);
}

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::*;
use crate::daemon::Clock;
use crate::discovery::TargetGroup;
use crate::http::metrics::Registry;
use crate::http::state::TargetView;
use crate::model::Matcher;
use crate::relabel::Rule;
use crate::scrape::{Counters, Features, Places};
use crate::storage::reference::{Order, ReferenceStorage};
use crate::storage::{SelectHints, Storage};
use crate::time::Span;

/// Four megabytes in a few kilobytes.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&vec![b'#'; 4 << 20]).unwrap();
    packed.finish().unwrap()
});

/// A server whose paths behave badly, each in its own way.
struct Server {
    address: String,
    connections: Arc<AtomicUsize>,
}

impl Server {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream));
            }
        });
        Self {
            address,
            connections,
        }
    }
}

fn answer(headers: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    out.extend_from_slice(body);
    out
}

async fn serve(mut stream: TcpStream) {
    let mut buffer = vec![0; 8192];
    loop {
        let mut length = 0;
        while !buffer[..length].windows(4).any(|w| w == b"\r\n\r\n") {
            match stream.read(&mut buffer[length..]).await {
                Ok(n) if n > 0 => length += n,
                _ => return,
            }
        }
        let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let path = request.split(' ').nth(1).unwrap_or_default();
        let reply = match path {
            "/good" => answer("", b"a 1\nb{x=\"1\"} 2\n"),
            "/headers" => {
                let wanted = [
                    "x-prometheus-scrape-timeout-seconds: 2",
                    "q=0.6",
                    "accept-encoding: gzip",
                ];
                let seen = wanted
                    .iter()
                    .filter(|w| request.to_ascii_lowercase().contains(*w))
                    .count();
                answer("", format!("seen {seen}\n").as_bytes())
            }
            "/slow" => {
                tokio::time::sleep(Duration::from_mins(1)).await;
                return;
            }
            "/endless" => {
                let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n";
                if stream.write_all(head).await.is_err() {
                    return;
                }
                let chunk = [b"1000\r\n".as_slice(), &[b'#'; 4096], b"\r\n"].concat();
                while stream.write_all(&chunk).await.is_ok() {}
                return;
            }
            "/lying" => {
                let text = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\nContent-Type: text/plain\r\n\r\na 1\n";
                let _ = stream.write_all(text).await;
                return;
            }
            "/garbage" => {
                let _ = stream.write_all(&[0xff; 512]).await;
                return;
            }
            "/binary" => answer("", &[0xff; 512]),
            "/bomb" => answer("Content-Encoding: gzip\r\n", &BOMB),
            "/gzip" => {
                let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
                packed.write_all(b"a 3\n").unwrap();
                answer("Content-Encoding: gzip\r\n", &packed.finish().unwrap())
            }
            "/moved" => {
                b"HTTP/1.1 302 Found\r\nLocation: /good\r\nContent-Length: 0\r\n\r\n".to_vec()
            }
            _ => b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n\r\nno\n".to_vec(),
        };
        if stream.write_all(&reply).await.is_err() {
            return;
        }
    }
}

fn config(job: &str, path: &str, addresses: &[&str]) -> JobConfig {
    let targets = addresses
        .iter()
        .map(|address| [("__address__", *address)].into_iter().collect())
        .collect();
    JobConfig {
        options: JobOptions {
            job_name: job.to_owned(),
            metrics_path: path.to_owned(),
            // Longer than a busy machine pauses: only the slow target is meant to meet its timeout.
            scrape_interval: Span::from_ms(2000),
            scrape_timeout: Span::from_ms(2000),
            body_size_limit: 1 << 20,
            ..JobOptions::default()
        },
        discovery: vec![discovery::Options::Static(vec![TargetGroup {
            targets,
            ..TargetGroup::default()
        }])],
    }
}

fn scrapes() -> (Scrapes, Arc<ReferenceStorage>) {
    let store = Arc::new(ReferenceStorage::with_order(Order::Strict));
    let shared = Shared {
        store: Arc::clone(&store) as Arc<dyn Storage>,
        clock: Clock::real(),
        places: Arc::new(Places::new(0)),
        features: Features::default(),
        counters: Arc::new(Counters::default()),
        lanes: Arc::new(Lanes::new(2)),
        permits: Arc::new(Semaphore::new(2)),
        metrics: Registry::default(),
    };
    (Scrapes::new(shared), store)
}

/// Values of a metric, oldest first; markers are `stale`.
fn values(store: &ReferenceStorage, name: &str, job: &str) -> Vec<String> {
    let querier = store.querier(i64::MIN, i64::MAX).unwrap();
    let hints = SelectHints {
        min_ms: i64::MIN,
        max_ms: i64::MAX,
        step_ms: 0,
        function: String::new(),
        limit: 0,
        sorted: true,
    };
    let matchers = [Matcher::equal("__name__", name), Matcher::equal("job", job)];
    let set = querier.select(&hints, &matchers).unwrap();
    set.flat_map(|entry| entry.unwrap().samples)
        .map(|sample| match sample.unwrap().value {
            v if v.is_stale() => "stale".to_owned(),
            crate::model::SampleValue::Float(v) => v.to_string(),
            _ => "histogram".to_owned(),
        })
        .collect()
}

async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_mins(1), "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// How many targets of a job have been scraped, well or not.
fn scraped(scrapes: &Scrapes, job: &str) -> usize {
    let views = scrapes.views();
    let pool = views.iter().find(|pool| pool.name == job).unwrap();
    let done = |target: &&TargetView| target.last_scrape.is_some();
    pool.active.iter().filter(done).count()
}

fn target(scrapes: &Scrapes, job: &str) -> TargetView {
    let views = scrapes.views();
    let pool = views.iter().find(|pool| pool.name == job).unwrap();
    pool.active[0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_targets_cost_their_own_scrape_and_nothing_else() {
    assert!(BOMB.len() < 1 << 20);
    let server = Server::start().await;
    let (scrapes, store) = scrapes();
    let expected = [
        ("slow", "context deadline exceeded"),
        ("endless", "body size limit exceeded"),
        ("lying", "unexpected EOF"),
        ("garbage", ""),
        ("binary", "expected a valid start token"),
        ("bomb", "body size limit exceeded"),
        (
            "broken",
            "server returned HTTP status 503 Service Unavailable",
        ),
    ];
    let mut configs = vec![config("good", "/good", &[&server.address])];
    for (job, _) in expected {
        configs.push(config(job, &format!("/{job}"), &[&server.address]));
    }
    configs[1].options.scrape_timeout = Span::from_ms(200);
    configs.push(config("nobody", "/good", &["127.0.0.1:1"]));
    scrapes.apply(configs).unwrap();
    until("every target was scraped", || {
        let views = scrapes.views();
        views
            .iter()
            .flat_map(|pool| &pool.active)
            .all(|t| t.last_scrape.is_some())
    })
    .await;
    for (job, error) in expected {
        let view = target(&scrapes, job);
        assert_eq!(view.health, "down", "{job}");
        assert!(!view.last_error.is_empty(), "{job}");
        if job != "lying" {
            assert!(
                view.last_error.contains(error),
                "{job}: {}",
                view.last_error
            );
        }
    }
    assert!(
        target(&scrapes, "nobody")
            .last_error
            .contains("connection refused")
    );
    assert_eq!(target(&scrapes, "good").last_error, "");
    until("the good target goes on", || {
        values(&store, "a", "good").len() >= 3
    })
    .await;
    assert!(values(&store, "up", "slow").iter().all(|v| v == "0"));
    scrapes.stop().await;
    let count = values(&store, "a", "good");
    assert!(
        !count.contains(&"stale".to_owned()),
        "the daemon's end marks nothing"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_target_keeps_its_connection_and_is_asked_as_upstream_asks() {
    let server = Server::start().await;
    let (scrapes, store) = scrapes();
    scrapes
        .apply(vec![config("headers", "/headers", &[&server.address])])
        .unwrap();
    until("three scrapes", || {
        values(&store, "seen", "headers").len() >= 3
    })
    .await;
    assert_eq!(values(&store, "seen", "headers")[0], "3");
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
    scrapes.stop().await;
}

#[tokio::test]
async fn jobs_of_which_one_cannot_be_built_change_nothing() {
    let server = Server::start().await;
    let (scrapes, _) = scrapes();
    scrapes
        .apply(vec![config("a", "/good", &[&server.address])])
        .unwrap();
    let mut broken = config("b", "/good", &[&server.address]);
    broken.options.client.proxy.url = Some("nothing://".to_owned());
    let refusal = scrapes
        .apply(vec![config("c", "/good", &[&server.address]), broken])
        .unwrap_err();
    assert!(
        refusal.starts_with("error creating HTTP client for job b: "),
        "{refusal}"
    );
    let names: Vec<String> = scrapes.views().into_iter().map(|pool| pool.name).collect();
    assert_eq!(names, ["a"]);
    scrapes.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gzip_and_redirects_are_followed() {
    let server = Server::start().await;
    let (scrapes, store) = scrapes();
    let jobs = ["gzip", "moved"];
    scrapes
        .apply(
            jobs.map(|job| config(job, &format!("/{job}"), &[&server.address]))
                .to_vec(),
        )
        .unwrap();
    until("both", || {
        jobs.iter().all(|job| !values(&store, "a", job).is_empty())
    })
    .await;
    assert_eq!(values(&store, "a", "gzip")[0], "3");
    scrapes.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn series_of_a_target_that_is_gone_end_and_others_go_on() {
    let server = Server::start().await;
    let (scrapes, store) = scrapes();
    let both = [server.address.as_str(), "127.0.0.1:1"];
    scrapes
        .apply(vec![
            config("a", "/good", &both),
            config("b", "/good", &both),
        ])
        .unwrap();
    // A target that goes before its first scrape leaves no series to end: wait for all of them.
    until("samples of every target", || {
        scraped(&scrapes, "a") == 2
            && scraped(&scrapes, "b") == 2
            && values(&store, "up", "a").len() >= 2
            && !values(&store, "a", "a").is_empty()
            && !values(&store, "a", "b").is_empty()
    })
    .await;
    scrapes.apply(vec![config("b", "/good", &both)]).unwrap();
    until("the end of job a", || {
        values(&store, "a", "a")
            .last()
            .is_some_and(|v| v == "stale")
            && values(&store, "up", "a")
                .iter()
                .filter(|v| *v == "stale")
                .count()
                == 2
    })
    .await;
    let before = values(&store, "a", "b").len();
    until("job b goes on", || values(&store, "a", "b").len() > before).await;
    assert!(!values(&store, "a", "b").contains(&"stale".to_owned()));
    scrapes.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_keeps_series_that_go_on_and_ends_those_that_do_not() {
    let server = Server::start().await;
    let (scrapes, store) = scrapes();
    let mut job = config("j", "/good", &[&server.address]);
    scrapes.apply(vec![job.clone()]).unwrap();
    until("samples", || !values(&store, "b", "j").is_empty()).await;
    job.options.metric_relabel_rules = vec![Rule {
        action: relabel::Action::Drop,
        source_labels: vec!["__name__".to_owned()],
        regex: Rule::regex("b").unwrap(),
        ..Rule::default()
    }];
    scrapes.apply(vec![job]).unwrap();
    until("the end of b", || {
        values(&store, "b", "j")
            .last()
            .is_some_and(|v| v == "stale")
    })
    .await;
    let before = values(&store, "a", "j").len();
    until("a goes on", || values(&store, "a", "j").len() > before).await;
    assert!(!values(&store, "a", "j").contains(&"stale".to_owned()));
    scrapes.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_targets_are_all_refused() {
    let server = Server::start().await;
    let (scrapes, store) = scrapes();
    let mut job = config("j", "/good", &[&server.address, "127.0.0.1:1"]);
    job.options.target_limit = 1;
    scrapes.apply(vec![job]).unwrap();
    until("a scrape", || values(&store, "up", "j").len() >= 2).await;
    assert_eq!(
        target(&scrapes, "j").last_error,
        "target_limit exceeded (number of targets: 2, limit: 1)"
    );
    assert!(values(&store, "a", "j").is_empty());
    assert_eq!(server.connections.load(Ordering::Relaxed), 0);
    scrapes.stop().await;
}

#[tokio::test]
async fn rules_of_a_job_are_traced() {
    let (scrapes, _) = scrapes();
    let mut job = config("j", "/good", &[]);
    job.options.relabel_rules = vec![Rule {
        target_label: "x".to_owned(),
        replacement: "y".to_owned(),
        ..Rule::default()
    }];
    scrapes.apply(vec![job]).unwrap();
    let steps = scrapes.relabel_steps("j", &Labels::empty()).unwrap();
    assert_eq!(steps[0].1.output.to_string(), r#"{x="y"}"#);
    assert!(scrapes.relabel_steps("k", &Labels::empty()).is_none());
    scrapes.stop().await;
}

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use proptest::prelude::*;
use prost::Message as _;
use tower::ServiceExt as _;

use super::{Memo, v1};
use crate::codec::prompb::{Label, Sample, TimeSeries, WriteRequest, compress, v2};
use crate::disk::memory::MemoryDisk;
use crate::http::{Parts, State, router};
use crate::storage::{SelectHints, Storage};
use crate::time::WallTime;
use crate::tsdb::{Db, Options};

const NOW_MS: i64 = 1_700_000_000_000;

struct Server {
    disk: MemoryDisk,
    db: Arc<Db>,
}

impl Server {
    fn new() -> Self {
        let disk = MemoryDisk::new();
        let db = Db::open(Arc::new(disk.clone()), Options::default(), NOW_MS).unwrap();
        Self {
            disk,
            db: Arc::new(db),
        }
    }

    async fn push(&self, proto: &str, body: &[u8]) -> (u16, String, String) {
        let storage: Arc<dyn Storage> = Arc::clone(&self.db) as _;
        let mut parts = Parts::new(storage, Arc::new(|| WallTime::from_ms(NOW_MS)));
        parts.readiness.set_ready();
        parts.accept_remote_write = true;
        let request = Request::post("/api/v1/write")
            .header("content-encoding", "snappy")
            .header(
                "content-type",
                format!("application/x-protobuf;proto={proto}"),
            )
            .body(Body::from(compress(body).unwrap()))
            .unwrap();
        let response = router(State::new(parts)).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let written = response
            .headers()
            .get("x-prometheus-remote-write-samples-written")
            .map_or("", |v| v.to_str().unwrap())
            .to_owned();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, written, String::from_utf8_lossy(&body).into_owned())
    }

    async fn push_v1(&self, series: Vec<TimeSeries>) -> (u16, String) {
        let request = WriteRequest {
            timeseries: series,
            ..WriteRequest::default()
        };
        let (status, _, text) = self
            .push("prometheus.WriteRequest", &request.encode_to_vec())
            .await;
        (status, text)
    }

    fn samples(&self) -> usize {
        let hints = SelectHints {
            min_ms: i64::MIN,
            max_ms: i64::MAX,
            step_ms: 0,
            function: String::new(),
            limit: 0,
            sorted: true,
        };
        let querier = self.db.querier(i64::MIN, i64::MAX).unwrap();
        let found = querier.select(&hints, &[]).unwrap();
        found.map(|entry| entry.unwrap().samples.count()).sum()
    }
}

fn series(name: &str, times: &[i64]) -> TimeSeries {
    TimeSeries {
        labels: vec![
            Label {
                name: "__name__".to_owned(),
                value: name.to_owned(),
            },
            Label {
                name: "job".to_owned(),
                value: "x".to_owned(),
            },
        ],
        samples: times
            .iter()
            .map(|t| Sample {
                value: 1.0,
                timestamp: NOW_MS + t,
            })
            .collect(),
        ..TimeSeries::default()
    }
}

#[tokio::test]
async fn a_push_is_stored_as_a_whole_or_not_at_all() {
    let server = Server::new();
    let good = vec![series("a", &[0, 10]), series("b", &[0])];
    assert_eq!(server.push_v1(good).await, (204, String::new()));
    assert_eq!(server.samples(), 3);
    let mixed = vec![series("c", &[20]), series("a", &[5])];
    assert_eq!(
        server.push_v1(mixed).await,
        (400, "out of order sample\n".to_owned())
    );
    let ahead = vec![series("c", &[600_001])];
    assert_eq!(
        server.push_v1(ahead).await,
        (
            400,
            "out of bounds: timestamp is too far in the future\n".to_owned()
        )
    );
    assert_eq!(server.samples(), 3);
}

#[tokio::test]
async fn what_a_push_itself_has_overtaken_is_left_out() {
    let server = Server::new();
    let push = vec![series("a", &[10, 5, 20])];
    assert_eq!(server.push_v1(push).await, (204, String::new()));
    assert_eq!(server.samples(), 2);
}

#[tokio::test]
async fn a_second_version_push_keeps_what_is_good() {
    let server = Server::new();
    let sample = |t| v2::Sample {
        value: 1.0,
        timestamp: NOW_MS + t,
        start_timestamp: 0,
    };
    let request = v2::Request {
        symbols: ["", "__name__", "a", "b"].map(str::to_owned).to_vec(),
        timeseries: vec![
            v2::TimeSeries {
                labels_refs: vec![1, 2],
                samples: vec![sample(10), sample(5), sample(20)],
                ..v2::TimeSeries::default()
            },
            v2::TimeSeries {
                labels_refs: vec![1, 9],
                samples: vec![sample(10)],
                ..v2::TimeSeries::default()
            },
        ],
    };
    let (status, written, text) = server
        .push("io.prometheus.write.v2.Request", &request.encode_to_vec())
        .await;
    assert_eq!((status, written.as_str()), (400, "2"));
    assert_eq!(
        text,
        "out of order sample for series {__name__=\"a\"}\n\
         parsing labels for series [1, 9]: invalid labelRefs\n"
    );
    assert_eq!(server.samples(), 2);
}

#[tokio::test]
async fn what_cannot_be_written_is_to_be_sent_again() {
    let server = Server::new();
    server.disk.set_capacity(Some(server.disk.used()));
    let (status, _) = server.push_v1(vec![series("a", &[0])]).await;
    assert_eq!((status, server.samples()), (503, 0));
}

#[tokio::test]
async fn other_messages_and_garbage_are_refused() {
    let server = Server::new();
    let (status, _, text) = server.push("other.Message", b"").await;
    assert_eq!(status, 415, "{text}");
    let (status, _, _) = server.push("prometheus.WriteRequest", b"\x0a\xff").await;
    assert_eq!(status, 400);
}

/// A series of a request: which labels, how they are written, its samples, and what else it has.
type Pushed = (usize, usize, Vec<(i64, u8)>, usize);

fn pushed((name, form, samples, extra): &Pushed, now_ms: &mut i64) -> TimeSeries {
    let label = |name: &str, value: String| Label {
        name: name.to_owned(),
        value,
    };
    let mut labels = vec![
        label("__name__", "m".to_owned()),
        label("i", name.to_string()),
    ];
    match form {
        0 => labels.reverse(),
        1 => labels.push(label("i", "twice".to_owned())),
        2 => labels.push(label("", "nameless".to_owned())),
        3 => labels.push(label("empty", String::new())),
        _ => {}
    }
    let samples = samples.iter().map(|(later, value)| {
        *now_ms += later * 1000;
        Sample {
            value: f64::from(*value),
            timestamp: *now_ms,
        }
    });
    let mut series = TimeSeries {
        labels,
        samples: samples.collect(),
        ..TimeSeries::default()
    };
    match extra {
        0 => series
            .exemplars
            .push(crate::codec::prompb::Exemplar::default()),
        1 => series.histograms.push(crate::codec::prompb::Histogram {
            timestamp: *now_ms + 1,
            ..Default::default()
        }),
        2 => series.samples.push(Sample {
            value: 1.0,
            timestamp: NOW_MS + 10_000_000,
        }),
        _ => {}
    }
    series
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn what_was_pushed_before_is_taken_as_what_was_not(
        requests in prop::collection::vec(
            (
                prop::collection::vec(
                    (0..4usize, 0..30usize, prop::collection::vec((-2i64..8, 0u8..3), 0..6), 0..60usize),
                    0..6,
                ),
                prop::option::weighted(0.1, any::<prop::sample::Index>()),
            ),
            1..10,
        ),
    ) {
        let (quick, plain) = (Server::new(), Server::new());
        let memo = Memo::default();
        let mut now_ms = NOW_MS - 1_000_000;
        for (series, cut) in requests {
            let series = series.iter().map(|series| pushed(series, &mut now_ms));
            let request = WriteRequest {
                timeseries: series.collect(),
                ..WriteRequest::default()
            };
            let mut bytes = request.encode_to_vec();
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len() + 1));
            }
            let latest_ms = NOW_MS + 600_000;
            let text = |outcome: Result<super::Written, super::Refusal>| {
                outcome.map_err(|refusal| (refusal.status, refusal.text))
            };
            let taken = text(v1::write(&*quick.db, &memo, &bytes, latest_ms));
            prop_assert_eq!(taken, text(v1::plain(&*plain.db, &bytes, latest_ms)));
            prop_assert_eq!(quick.samples(), plain.samples());
            prop_assert_eq!(quick.db.status().counters, plain.db.status().counters);
        }
    }
}

//! Pages of `io.prometheus.client.MetricFamily` messages, as far as the tests need them.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Family {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<Metric>,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Counter>,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Counter {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    created: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
struct Time {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    buckets: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "12")]
    positive_spans: Vec<Span>,
    #[prost(sint64, repeated, tag = "13")]
    positive_deltas: Vec<i64>,
    #[prost(message, optional, tag = "15")]
    created: Option<Time>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    bound: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

/// The type of such pages.
pub const CONTENT_TYPE: &str =
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// A native histogram that has classic buckets too, one without, and a counter, all begun at `created`.
pub fn page(created: i64) -> Vec<u8> {
    let began = Some(Time { seconds: created });
    let native = Histogram {
        count: 7,
        sum: 12.5,
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 1,
        positive_spans: vec![
            Span {
                offset: 0,
                length: 2,
            },
            Span {
                offset: 3,
                length: 1,
            },
        ],
        positive_deltas: vec![2, 1, -2],
        created: began.clone(),
        ..Histogram::default()
    };
    let classic = vec![
        Bucket {
            count: 3,
            bound: 1.0,
        },
        Bucket {
            count: 6,
            bound: 10.0,
        },
        Bucket {
            count: 7,
            bound: f64::INFINITY,
        },
    ];
    let both = Histogram {
        buckets: classic,
        ..native.clone()
    };
    let label = |value: &str| Label {
        name: "kind".to_owned(),
        value: value.to_owned(),
    };
    let histogram = |labels: &str, histogram| Metric {
        labels: vec![label(labels)],
        histogram: Some(histogram),
        ..Metric::default()
    };
    let families = [
        Family {
            name: "latency_seconds".to_owned(),
            help: "How long it took.".to_owned(),
            kind: 4,
            metrics: vec![histogram("native", native), histogram("both", both)],
        },
        Family {
            name: "asked_total".to_owned(),
            help: "How often.".to_owned(),
            kind: 0,
            metrics: vec![Metric {
                labels: vec![label("plain")],
                counter: Some(Counter {
                    value: 17.0,
                    created: began,
                }),
                ..Metric::default()
            }],
        },
    ];
    families
        .iter()
        .flat_map(Message::encode_length_delimited_to_vec)
        .collect()
}

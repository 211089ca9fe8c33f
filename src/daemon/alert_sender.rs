//! Sends the alerts of our rules to external Alertmanagers, each with a queue and a pace of its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::{Notify, watch};

use super::net::{Client, Error, Request};
use crate::http::metrics::{Counter, Registry, Summary};
use crate::model::{Alert, Labels, LabelsBuilder};
use crate::relabel::{self, Rule};

/// How long the end of the program waits for what is still queued.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// An Alertmanager that is in use.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Where alerts are posted, `http://host:9093/api/v2/alerts`.
    pub url: String,
    /// How to talk to it.
    pub client: Client,
    /// How long a request may take.
    pub timeout: Duration,
    /// `alert_relabel_configs` of its own section.
    pub relabel_rules: Arc<Vec<Rule>>,
}

/// What every alert goes through before it is queued.
#[derive(Debug, Clone, Default)]
pub struct Dressing {
    /// Added where an alert lacks them.
    pub external_labels: Labels,
    /// `alerting.alert_relabel_configs`.
    pub relabel_rules: Vec<Rule>,
}

/// Bounds of the queues.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Alerts that wait per Alertmanager; the oldest goes when one more comes.
    pub capacity: usize,
    /// Alerts in one request.
    pub batch: usize,
}

/// The queues. Clones share them.
#[derive(Debug, Clone)]
pub struct AlertSender(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    bounds: Bounds,
    dressing: ArcSwap<Dressing>,
    queues: Mutex<BTreeMap<String, Queue>>,
    metrics: Registry,
    dropped: Counter,
}

#[derive(Debug, Clone)]
struct Queue(Arc<QueueState>);

#[derive(Debug)]
struct QueueState {
    endpoint: ArcSwap<Endpoint>,
    waiting: Mutex<VecDeque<Alert>>,
    news: Notify,
    /// True when nothing waits and nothing is on its way.
    idle: watch::Sender<bool>,
    closed: watch::Sender<bool>,
}

impl AlertSender {
    /// Queues without any Alertmanager.
    pub fn new(bounds: Bounds, metrics: &Registry) -> Self {
        let capacity = metrics.gauge(
            "prometheus_notifications_queue_capacity",
            "The capacity of the alert notifications queue.",
        );
        capacity.set(bounds.capacity as f64);
        let shared = Arc::new(Shared {
            bounds,
            dressing: ArcSwap::default(),
            queues: Mutex::default(),
            metrics: metrics.clone(),
            dropped: metrics.counter(
                "prometheus_notifications_dropped_total",
                "Total number of alerts dropped due to errors when sending to Alertmanager.",
            ),
        });
        let weak = Arc::downgrade(&shared);
        metrics.collector(move |page| {
            let Some(shared) = weak.upgrade() else { return };
            let queues = shared.queues.lock();
            let waiting: usize = queues.values().map(|q| q.0.waiting.lock().len()).sum();
            page.gauge(
                "prometheus_notifications_queue_length",
                "The number of alert notifications in the queue.",
                &[],
                waiting as f64,
            );
        });
        Self(shared)
    }

    /// Changes what alerts go through from now on.
    pub fn dress(&self, dressing: Dressing) {
        self.0.dressing.store(Arc::new(dressing));
    }

    /// Uses these Alertmanagers from now on; queues of those that stay are kept.
    pub fn set_endpoints(&self, endpoints: Vec<Endpoint>) {
        let mut queues = self.0.queues.lock();
        let mut kept = BTreeMap::new();
        for endpoint in endpoints {
            let url = endpoint.url.clone();
            let queue = match queues.remove(&url) {
                Some(queue) => {
                    queue.0.endpoint.store(Arc::new(endpoint));
                    queue
                }
                None => self.start(endpoint),
            };
            kept.insert(url, queue);
        }
        for queue in queues.values() {
            queue.0.closed.send_replace(true);
        }
        *queues = kept;
    }

    /// The addresses in use, sorted.
    pub fn urls(&self) -> Vec<String> {
        self.0.queues.lock().keys().cloned().collect()
    }

    /// The alerts as every Alertmanager gets them: external labels added, relabelled, some dropped.
    pub fn dressed(&self, alerts: &[Alert]) -> Vec<Alert> {
        let dressing = self.0.dressing.load_full();
        alerts
            .iter()
            .filter_map(|alert| {
                let mut labels = LabelsBuilder::from(&alert.labels);
                for (name, value) in &dressing.external_labels {
                    if labels.get(name).is_empty() {
                        labels.set(name, value);
                    }
                }
                relabelled(alert, labels, &dressing.relabel_rules)
            })
            .collect()
    }

    /// Queues alerts, dressed already, for every Alertmanager.
    pub fn send(&self, alerts: &[Alert]) {
        if alerts.is_empty() {
            return;
        }
        for queue in self.0.queues.lock().values() {
            let mut waiting = queue.0.waiting.lock();
            waiting.extend(alerts.iter().cloned());
            let excess = waiting.len().saturating_sub(self.0.bounds.capacity);
            if excess > 0 {
                waiting.drain(..excess);
                self.0.dropped.add(excess as f64);
                tracing::warn!(
                    num_dropped = excess,
                    "alert notification queue full, dropping the oldest alerts"
                );
            }
            queue.0.idle.send_replace(false);
            queue.0.news.notify_one();
        }
    }

    /// Waits until everything is sent, for at most ten seconds.
    pub async fn drain(&self) {
        let queues: Vec<Queue> = self.0.queues.lock().values().cloned().collect();
        let all = async {
            for queue in queues {
                let _ = queue.0.idle.subscribe().wait_for(|idle| *idle).await;
            }
        };
        if tokio::time::timeout(DRAIN_TIMEOUT, all).await.is_err() {
            tracing::warn!("alerts that could not be sent in time are dropped");
        }
    }

    fn start(&self, endpoint: Endpoint) -> Queue {
        let queue = Queue(Arc::new(QueueState {
            endpoint: ArcSwap::from_pointee(endpoint),
            waiting: Mutex::default(),
            news: Notify::new(),
            idle: watch::Sender::new(true),
            closed: watch::Sender::new(false),
        }));
        tokio::spawn(run(
            queue.clone(),
            self.0.bounds.batch.max(1),
            self.0.metrics.clone(),
        ));
        queue
    }
}

async fn run(queue: Queue, batch: usize, metrics: Registry) {
    let mut closed = queue.0.closed.subscribe();
    let url = queue.0.endpoint.load().url.clone();
    let labels = [("alertmanager", url.as_str())];
    let sent = metrics.counter_with(
        "prometheus_notifications_sent_total",
        "Total number of alerts sent.",
        &labels,
    );
    let errors = metrics.counter_with(
        "prometheus_notifications_errors_total",
        "Total number of sent alerts affected by errors.",
        &labels,
    );
    let latency = metrics.summary_with(
        "prometheus_notifications_latency_seconds",
        "Latency quantiles for sending alert notifications.",
        Summary::QUANTILES,
        &labels,
    );
    loop {
        let alerts: Vec<Alert> = {
            let mut waiting = queue.0.waiting.lock();
            let n = waiting.len().min(batch);
            waiting.drain(..n).collect()
        };
        if alerts.is_empty() {
            queue.0.idle.send_if_modified(|idle| {
                let now = queue.0.waiting.lock().is_empty();
                std::mem::replace(idle, now) != now
            });
            tokio::select! {
                () = queue.0.news.notified() => continue,
                _ = closed.wait_for(|closed| *closed) => return,
            }
        }
        let endpoint = queue.0.endpoint.load_full();
        let alerts: Vec<Alert> = alerts
            .iter()
            .filter_map(|a| relabelled(a, LabelsBuilder::from(&a.labels), &endpoint.relabel_rules))
            .collect();
        if alerts.is_empty() {
            continue;
        }
        let count = alerts.len() as f64;
        sent.add(count);
        let began = Instant::now();
        let outcome = post(&endpoint, &alerts).await;
        latency.observe(began.elapsed().as_secs_f64());
        if let Err(e) = outcome {
            errors.add(count);
            // compat: a batch that failed is not sent again; rules repeat what still fires.
            tracing::error!(alertmanager = %endpoint.url, count, err = %e, "error sending alerts");
        }
    }
}

async fn post(endpoint: &Endpoint, alerts: &[Alert]) -> Result<(), Error> {
    let body = Value::Array(alerts.iter().map(payload).collect()).to_string();
    let answer = endpoint
        .client
        .send(Request::post(
            endpoint.url.clone(),
            "application/json",
            Bytes::from(body),
            endpoint.timeout,
        ))
        .await?;
    if answer.status.is_success() {
        return Ok(());
    }
    Err(Error::Protocol(format!(
        "bad response status {}",
        answer.status_text()
    )))
}

fn payload(alert: &Alert) -> Value {
    json!({
        "annotations": crate::http::json::labels(&alert.annotations),
        "endsAt": alert.ends_at.to_string(),
        "startsAt": alert.starts_at.to_string(),
        "generatorURL": &*alert.generator_url,
        "labels": crate::http::json::labels(&alert.labels),
    })
}

/// The alert with the labels that `rules` leave; none when they drop it.
fn relabelled(alert: &Alert, mut labels: LabelsBuilder, rules: &[Rule]) -> Option<Alert> {
    relabel::apply(&mut labels, rules).then(|| Alert {
        labels: labels.build(),
        ..alert.clone()
    })
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;
    use crate::model::http_client::ClientOptions;
    use crate::time::WallTime;

    fn alert(name: &str) -> Alert {
        Alert {
            labels: Labels::from_pairs([("alertname", name)]),
            annotations: Labels::empty(),
            starts_at: WallTime::from_ms(1_700_000_000_000),
            ends_at: WallTime::from_ms(1_700_000_240_000),
            generator_url: "http://us/graph".into(),
            updated_at: WallTime::ZERO,
            timeout: false,
        }
    }

    #[tokio::test]
    async fn alerts_arrive_with_external_labels_in_batches() {
        let (bodies, mut arrived) = mpsc::unbounded_channel();
        let router = Router::new().route(
            "/api/v2/alerts",
            post(move |body: String| {
                let _ = bodies.send(body);
                async {}
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
        let url = format!(
            "http://{}/api/v2/alerts",
            listener.local_addr().expect("bound")
        );
        tokio::spawn(async move { axum::serve(listener, router).await });
        let metrics = Registry::default();
        let bounds = Bounds {
            capacity: 3,
            batch: 2,
        };
        let sender = AlertSender::new(bounds, &metrics);
        sender.dress(Dressing {
            external_labels: Labels::from_pairs([("cluster", "c1"), ("alertname", "no")]),
            relabel_rules: Vec::new(),
        });
        sender.set_endpoints(vec![Endpoint {
            url: url.clone(),
            client: Client::new(&ClientOptions::default()).expect("valid options"),
            timeout: Duration::from_secs(5),
            relabel_rules: Arc::default(),
        }]);
        sender.send(&sender.dressed(&[alert("dropped"), alert("a"), alert("b"), alert("c")]));
        sender.drain().await;
        let first: Value =
            serde_json::from_str(&arrived.recv().await.expect("a body")).expect("JSON");
        assert_eq!(
            first[0],
            json!({
                "annotations": {}, "endsAt": "2023-11-14T22:17:20Z", "startsAt": "2023-11-14T22:13:20Z",
                "generatorURL": "http://us/graph", "labels": {"alertname": "a", "cluster": "c1"}
            })
        );
        assert_eq!(first.as_array().map(Vec::len), Some(2));
        let second: Value =
            serde_json::from_str(&arrived.recv().await.expect("a body")).expect("JSON");
        assert_eq!(second[0]["labels"]["alertname"], "c");
        let page = metrics.gather().to_string();
        assert!(
            page.contains(&format!(
                "prometheus_notifications_sent_total{{alertmanager=\"{url}\"}} 3"
            )),
            "{page}"
        );
        assert!(
            page.contains("prometheus_notifications_dropped_total 1"),
            "{page}"
        );
    }
}

//! A pretend cluster that burns: the daemon's own engine scrapes it over HTTP in compressed time, and an inbox
//! shows who is called. It uses loopback only and keeps everything in memory.

mod cluster;
mod exporters;

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::inbox::{self, Notification};
use super::{Clock, ConfigSource, Error, Options};
use crate::time::{Span, WallTime};
use cluster::Exporter;

/// An hour of the cluster passes in forty seconds.
const FACTOR: u32 = 90;

/// The demo gives up after this long, whatever has arrived.
const PATIENCE: Duration = Duration::from_secs(90);

/// What happens when, in minutes of the cluster's time.
const SCENES: &[(i64, &str)] = &[
    (0, "a disk fills up, slowly"),
    (4, "the cart's container begins to crash"),
    (12, "the API server stops answering"),
    (28, "the API server answers again"),
];

/// Something to tell the person who watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Something happens in the cluster.
    Scene(&'static str),
    /// Somebody was called.
    Arrived(Notification),
}

/// The running demo.
#[derive(Debug)]
pub struct Demo {
    running: JoinHandle<Result<(), Error>>,
    end: oneshot::Sender<()>,
    address: SocketAddr,
    clock: Clock,
    started: WallTime,
    arriving: mpsc::Receiver<Notification>,
    next_scene: usize,
    seen: Seen,
}

/// What the demo promises to show before it ends.
#[derive(Debug, Default)]
struct Seen {
    api_server_page: bool,
    crash_loop_page: bool,
    disk_message: bool,
    resolve: bool,
}

impl Demo {
    /// Starts exporters, inbox and daemon; the API listens on `address`.
    pub async fn start(address: &str, rules: Vec<(String, String)>) -> Result<Self, Error> {
        let clock = Clock::compressed(FACTOR);
        let started = clock.now();
        let exporters = exporters::start(clock, started).await?;
        let inbox_listener = TcpListener::bind("127.0.0.1:0").await?;
        let inbox_port = inbox_listener.local_addr()?.port();
        let options = Options {
            config: ConfigSource::Text(config(exporters)),
            router: ConfigSource::Text(router(inbox_port)),
            built_in_rules: rules,
            clock,
            ..Options::default()
        };
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let arriving = inbox::start(inbox_listener, None);
        let (end, ended) = oneshot::channel();
        let running = tokio::spawn(super::run(options, vec![listener], async move {
            // A dropped sender ends the demo as well.
            let _ = ended.await;
        }));
        Ok(Self {
            running,
            end,
            address,
            clock,
            started,
            arriving,
            next_scene: 0,
            seen: Seen::default(),
        })
    }

    /// Where the API listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The cluster's time since the start.
    pub fn elapsed(&self) -> Span {
        self.clock.now().since(self.started)
    }

    /// The next event; none when everything has been shown, or after a minute and a half.
    pub async fn next(&mut self) -> Option<Event> {
        let remaining = PATIENCE.saturating_sub(self.clock.real_duration(self.elapsed()));
        if self.seen.everything() || remaining.is_zero() {
            return None;
        }
        let scene = SCENES.get(self.next_scene);
        let until_scene = scene.map_or(remaining, |(minute, _)| {
            self.clock.real_duration(Span::from_ms(
                Span::minutes(*minute).as_ms() - self.elapsed().as_ms(),
            ))
        });
        tokio::select! {
            () = tokio::time::sleep(until_scene.min(remaining)) => {
                self.next_scene += 1;
                scene.map(|(_, text)| Event::Scene(text))
            }
            arrived = self.arriving.recv() => arrived.map(|notification| {
                self.seen.note(&notification);
                Event::Arrived(notification)
            }),
        }
    }

    /// Whether everything that the demo promises has arrived.
    pub fn complete(&self) -> bool {
        self.seen.everything()
    }

    /// The next notification, for as long as the demo is kept running.
    pub async fn arrived(&mut self) -> Option<Notification> {
        self.arriving.recv().await
    }

    /// Ends everything.
    pub async fn stop(self) -> Result<(), Error> {
        let _ = self.end.send(());
        self.running.await.unwrap_or(Ok(()))
    }
}

impl Seen {
    fn note(&mut self, notification: &Notification) {
        let page = notification.kind == inbox::Kind::PagerDuty;
        let about = |name: &str| notification.block().contains(name);
        self.api_server_page |= page && !notification.resolved && about("APIServerDown");
        self.crash_loop_page |= page && !notification.resolved && about("PodCrashLooping");
        self.disk_message |= notification.kind == inbox::Kind::Slack && about("DiskFillingUp");
        self.resolve |= notification.resolved;
    }

    const fn everything(&self) -> bool {
        self.api_server_page && self.crash_loop_page && self.disk_message && self.resolve
    }
}

fn config(port: u16) -> String {
    let mut text = String::from(
        "global: {scrape_interval: 15s, scrape_timeout: 10s, evaluation_interval: 15s}\nscrape_configs:\n",
    );
    for exporter in Exporter::ALL {
        let job = exporter.job();
        let _ = write!(
            text,
            "- job_name: {job}\n  metrics_path: /{job}/metrics\n  static_configs:\n  - targets: ['127.0.0.1:{port}']\n    labels: {{instance: '{}'}}\n",
            exporter.instance()
        );
    }
    text
}

fn router(inbox: u16) -> String {
    format!(
        "route:\n  receiver: slack\n  group_by: [alertname]\n  routes:\n  - {{matchers: ['severity=\"critical\"'], receiver: pagerduty}}\n\
         receivers:\n- name: slack\n  slack_configs: [{{api_url: 'http://127.0.0.1:{inbox}/slack', channel: '#alerts', send_resolved: true}}]\n\
         - name: pagerduty\n  pagerduty_configs: [{{url: 'http://127.0.0.1:{inbox}/pagerduty', routing_key: demo}}]\n"
    )
}

//! Finds external Alertmanagers and keeps the sender's list of them up to date.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::task::JoinHandle;

use crate::config::prometheus::{Alerting, Alertmanager};
use crate::daemon::alert_sender::{AlertSender, Endpoint};
use crate::daemon::net::Client;
use crate::daemon::sd::Discovery;
use crate::daemon::{Clock, Error};
use crate::discovery::TargetGroup;
use crate::http::metrics::Registry;
use crate::model::{Labels, LabelsBuilder};
use crate::relabel::{self, Rule};

const ADDRESS: &str = "__address__";
const SCHEME: &str = "__scheme__";
const PATH: &str = "__alertmanager_path__";

/// Those in use and those that relabeling dropped, as URLs.
pub(super) type Known = Arc<Mutex<(Vec<String>, Vec<String>)>>;

/// A task that follows discovery. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Alertmanagers {
    task: JoinHandle<()>,
}

impl Drop for Alertmanagers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A section that is ready to be followed.
#[derive(Debug)]
pub(super) struct Prepared {
    options: Alertmanager,
    client: Client,
}

struct Section {
    options: Alertmanager,
    client: Client,
    discovery: Discovery,
    alert_relabel_rules: Arc<Vec<Rule>>,
}

impl Alertmanagers {
    /// Does what can fail of [`Alertmanagers::follow`] and changes nothing.
    pub(super) fn prepare(alerting: &Alerting) -> Result<Vec<Prepared>, Error> {
        let sections = alerting.alertmanagers.iter().enumerate();
        sections
            .map(|(at, options)| {
                let client = Client::new(&options.client)
                    .map_err(|e| Error::Config(format!("alertmanagers entry {at}: {e}")))?;
                Ok(Prepared {
                    options: options.clone(),
                    client,
                })
            })
            .collect()
    }

    /// Follows these sections from now on.
    pub(super) fn follow(
        prepared: Vec<Prepared>,
        sender: AlertSender,
        known: Known,
        built_in: bool,
        metrics: &Registry,
        clock: Clock,
    ) -> Self {
        let sections: Vec<Section> = prepared
            .into_iter()
            .enumerate()
            .map(|(at, Prepared { options, client })| Section {
                discovery: Discovery::start(
                    &format!("config-{at}"),
                    &options.discovery,
                    clock,
                    metrics,
                ),
                alert_relabel_rules: Arc::new(options.alert_relabel_rules.clone()),
                options,
                client,
            })
            .collect();
        let discovered = metrics.gauge(
            "prometheus_notifications_alertmanagers_discovered",
            "The number of alertmanagers discovered and active.",
        );
        let task = tokio::spawn(async move {
            let mut watches: Vec<_> = sections.iter().map(|s| s.discovery.watch()).collect();
            loop {
                let (endpoints, urls, dropped) = resolve(&sections);
                // The router in this process counts as one: nobody needs to be told that none is there.
                discovered.set(urls.len() as f64 + f64::from(u8::from(built_in)));
                *known.lock() = (urls, dropped);
                sender.set_endpoints(endpoints);
                if watches.is_empty() {
                    return;
                }
                let changes = watches.iter_mut().map(|w| Box::pin(w.changed()));
                let (outcome, _, _) = futures_util::future::select_all(changes).await;
                if outcome.is_err() {
                    return;
                }
            }
        });
        Self { task }
    }
}

fn resolve(sections: &[Section]) -> (Vec<Endpoint>, Vec<String>, Vec<String>) {
    let (mut endpoints, mut urls, mut dropped) = (Vec::new(), Vec::new(), Vec::new());
    for section in sections {
        for group in section.discovery.groups().iter() {
            for target in &group.targets {
                let (url, kept) = address(&section.options, group, target);
                if !kept {
                    dropped.push(url);
                    continue;
                }
                if urls.contains(&url) {
                    continue;
                }
                urls.push(url.clone());
                endpoints.push(Endpoint {
                    url,
                    client: section.client.clone(),
                    timeout: section.options.timeout.to_std(),
                    relabel_rules: Arc::clone(&section.alert_relabel_rules),
                });
            }
        }
    }
    urls.sort();
    dropped.sort();
    (endpoints, urls, dropped)
}

/// Where a discovered Alertmanager takes alerts, and whether relabeling keeps it.
fn address(options: &Alertmanager, group: &TargetGroup, target: &Labels) -> (String, bool) {
    let mut labels = LabelsBuilder::from(&group.labels);
    for (name, value) in target {
        labels.set(name, value);
    }
    let prefix = options.path_prefix.trim_matches('/');
    let path = if prefix.is_empty() {
        "/api/v2/alerts".to_owned()
    } else {
        format!("/{prefix}/api/v2/alerts")
    };
    labels.set(SCHEME, &options.scheme);
    labels.set(PATH, &path);
    let before = labels.build();
    let kept = relabel::apply(&mut labels, &options.relabel_rules);
    let after = if kept { labels.build() } else { before };
    let part = |name: &str| after.get(name).unwrap_or_default().to_owned();
    (
        format!("{}://{}{}", part(SCHEME), part(ADDRESS), part(PATH)),
        kept,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Span;

    #[test]
    fn an_address_is_scheme_target_prefix_and_api() {
        let options = Alertmanager {
            scheme: "https".to_owned(),
            path_prefix: "/am/".to_owned(),
            timeout: Span::seconds(10),
            client: crate::model::http_client::ClientOptions::default(),
            sigv4: false,
            discovery: Vec::new(),
            relabel_rules: Vec::new(),
            alert_relabel_rules: Vec::new(),
        };
        let target = Labels::from_pairs([(ADDRESS, "am:9093")]);
        assert_eq!(
            address(&options, &TargetGroup::default(), &target),
            ("https://am:9093/am/api/v2/alerts".to_owned(), true)
        );
    }
}

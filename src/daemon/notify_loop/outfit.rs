//! A configuration made ready to send: receivers with their clients, and the templates.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::{Error, Loaded};
use crate::alerting::receivers::{AwsCredentials, Integration};
use crate::alerting::router::{IntegrationOptions, RouterConfig};
use crate::alerting::{Notification, templates};
use crate::config::watchfire::Sink;
use crate::daemon::net::{Client, Mailer};
use crate::model::Secret;
use crate::model::http_client::{ClientOptions, TlsOptions};
use crate::template::notify::TemplateSet;

/// Attempts of one integration at once; the others wait. Attempts at large groups count for several.
const ATTEMPTS_MAX: usize = 16;
/// Alerts that one attempt of these stands for: what is under way at once stays a few megabytes per integration.
const ALERTS_PER_ATTEMPT: usize = 64;

/// How many attempts a notification about so many alerts counts for.
pub(super) fn weight(alerts: usize) -> u32 {
    u32::try_from(alerts / ALERTS_PER_ATTEMPT)
        .unwrap_or(u32::MAX)
        .clamp(1, ATTEMPTS_MAX as u32)
}

#[derive(Debug)]
pub(super) struct Outfit {
    receivers: BTreeMap<String, Vec<Sender>>,
    pub(super) templates: TemplateSet,
    pub(super) external_url: String,
    pub(super) hostname: String,
    pub(super) aws: Option<AwsCredentials>,
}

/// One integration, ready to send.
#[derive(Debug)]
pub(super) struct Sender {
    /// `webhook/0`.
    pub(super) name: String,
    /// `webhook`.
    pub(super) kind: String,
    /// What makes requests; none shows notifications in the log.
    pub(super) integration: Option<Integration>,
    pub(super) client: Client,
    pub(super) mailer: Mailer,
    /// Bound of an attempt, if the configuration sets one.
    pub(super) timeout: Option<Duration>,
    pub(super) permits: Semaphore,
    /// Where its notifications go instead of out.
    pub(super) sink: Option<Sink>,
    /// What must not be told when something goes wrong.
    pub(super) secrets: Vec<String>,
    /// Files of the HTTP client that hold more of it.
    pub(super) secret_files: Vec<PathBuf>,
}

impl Sender {
    /// What the files of the HTTP client hold. One that cannot be read now was not sent either.
    pub(super) fn file_secrets(&self) -> impl Iterator<Item = String> + '_ {
        let contents = self.secret_files.iter().map(std::fs::read_to_string);
        contents.flatten().map(|content| content.trim().to_owned())
    }
}

impl Outfit {
    pub(super) fn new(loaded: &Loaded, external_url: &str) -> Result<Self, Error> {
        let files = loaded
            .templates
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()));
        let templates = templates::with_files(files).map_err(|error| Error::Template {
            name: loaded.config.templates.join(", "),
            why: error.to_string(),
        })?;
        let mut receivers = BTreeMap::new();
        for receiver in &loaded.config.receivers {
            let mut senders = Vec::new();
            let sink = loaded.sinks.get(&receiver.name);
            for integration in &receiver.integrations {
                let options = &integration.options;
                let http = options
                    .http("http_config")
                    .cloned()
                    .unwrap_or_else(ClientOptions::default);
                let wrong = |why: String| Error::Receiver {
                    receiver: receiver.name.clone(),
                    why,
                };
                let client = Client::new(&http).map_err(|error| wrong(error.to_string()))?;
                let built = integration
                    .build()
                    .ok_or_else(|| wrong(format!("{} is not known", integration.kind)))?;
                let mut secrets = Vec::new();
                options.secrets(&mut |secret| secrets.push(secret.to_owned()));
                let mut secret_files = Vec::new();
                http.secret_files(&mut |path| secret_files.push(path.to_owned()));
                senders.push(Sender {
                    secrets,
                    secret_files,
                    name: format!("{}/{}", integration.kind, integration.index),
                    kind: integration.kind.to_owned(),
                    integration: Some(built),
                    client,
                    mailer: Mailer::new(&options.tls("tls_config").cloned().unwrap_or_default()),
                    timeout: options
                        .nanoseconds("timeout")
                        .and_then(|ns| u64::try_from(ns).ok())
                        .filter(|ns| *ns > 0)
                        .map(Duration::from_nanos),
                    permits: Semaphore::new(ATTEMPTS_MAX),
                    sink: sink.cloned(),
                });
            }
            if loaded.log_only {
                senders.push(log_sender(&receiver.name, sink)?);
            }
            receivers.insert(receiver.name.clone(), senders);
        }
        Ok(Self {
            receivers,
            templates,
            external_url: external_url.to_owned(),
            hostname: hostname(),
            aws: aws_credentials(),
        })
    }

    pub(super) fn sender(&self, notification: &Notification) -> Option<&Sender> {
        self.receivers
            .get(&notification.receiver)?
            .get(notification.integration)
    }
}

fn log_sender(receiver: &str, sink: Option<&Sink>) -> Result<Sender, Error> {
    let client = Client::new(&ClientOptions::default()).map_err(|error| Error::Receiver {
        receiver: receiver.to_owned(),
        why: error.to_string(),
    })?;
    Ok(Sender {
        name: "log/0".to_owned(),
        kind: "log".to_owned(),
        integration: None,
        client,
        mailer: Mailer::new(&TlsOptions::default()),
        timeout: None,
        permits: Semaphore::new(ATTEMPTS_MAX),
        sink: sink.cloned(),
        secrets: Vec::new(),
        secret_files: Vec::new(),
    })
}

/// What the router must know of a configuration.
pub(super) fn router_config(loaded: &Loaded) -> RouterConfig {
    let mut config = loaded.config.router();
    config.fallbacks.clone_from(&loaded.fallbacks);
    if loaded.log_only {
        for receiver in &mut config.receivers {
            receiver.integrations.push(IntegrationOptions {
                kind: "log".to_owned(),
                index: 0,
                send_resolved: true,
            });
        }
    }
    config
}

fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// AWS credentials from the environment, as the SDK names them.
fn aws_credentials() -> Option<AwsCredentials> {
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let (access_key, secret_key) = (var("AWS_ACCESS_KEY_ID"), var("AWS_SECRET_ACCESS_KEY"));
    (!access_key.is_empty() && !secret_key.is_empty()).then(|| AwsCredentials {
        access_key,
        secret_key: Secret::new(secret_key),
        session_token: Secret::new(var("AWS_SESSION_TOKEN")),
        region: match var("AWS_REGION") {
            region if region.is_empty() => var("AWS_DEFAULT_REGION"),
            region => region,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_groups_count_for_several_attempts_and_always_find_room() {
        assert_eq!([0, 1, 127, 128, 300].map(weight), [1, 1, 1, 2, 4]);
        assert_eq!(weight(usize::MAX), 16);
    }
}

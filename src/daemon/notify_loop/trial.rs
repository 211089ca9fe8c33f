//! A marked test notification through the real path: what is sent, what comes back, what that means.

use std::fmt::Write as _;
use std::time::Duration;

use parking_lot::Mutex;

use super::mask::{MASK, Mask};
use super::outfit::{Outfit, Sender};
use super::{Error, Loaded, attempt};
use crate::alerting::receivers::{EmailMessage, HttpReply, HttpRequest, Outgoing, Reply};
use crate::alerting::{Notification, NotifyReason, Verdict};
use crate::config::alertmanager::Receiver;
use crate::model::{Alert, Labels};
use crate::time::{Span, WallTime};

/// How much of an answer's or a request's body is shown.
const BODY_SHOWN_MAX: usize = 8 << 10;

/// What an attempt did, for those who want to look on.
#[derive(Debug, Default)]
pub(super) struct Trace {
    exchanges: Mutex<Vec<(Outgoing, Reply)>>,
    /// What files with secrets held.
    secrets: Mutex<Vec<String>>,
}

impl Trace {
    pub(super) fn exchange(&self, request: Outgoing, reply: &Reply) {
        self.exchanges.lock().push((request, reply.clone()));
    }

    pub(super) fn secret(&self, secret: &str) {
        self.secrets.lock().push(secret.trim().to_owned());
    }
}

/// How the test of one integration went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// `webhook/0`.
    pub integration: String,
    /// Requests and replies in words, without secrets.
    pub exchanges: Vec<(String, String)>,
    /// What it comes to.
    pub verdict: Verdict,
}

/// Sends a test notification to each integration of a receiver. `resolved` sends its end instead.
pub async fn try_receiver(
    loaded: &Loaded,
    external_url: &str,
    receiver: &str,
    resolved: bool,
    now: WallTime,
    timeout: Duration,
) -> Result<Vec<Trial>, Error> {
    let outfit = Outfit::new(loaded, external_url)?;
    let configured = loaded.config.receivers.iter().find(|r| r.name == receiver);
    let Some(configured) = configured else {
        return Err(Error::Receiver {
            receiver: receiver.to_owned(),
            why: "there is no receiver of this name".to_owned(),
        });
    };
    let mut trials = Vec::new();
    for at in 0..configured.integrations.len() {
        let notification = notification(receiver, at, resolved, now, timeout);
        let Some(sender) = outfit.sender(&notification) else {
            continue;
        };
        trials.push(try_sender(&outfit, sender, configured, &notification, timeout).await);
    }
    Ok(trials)
}

async fn try_sender(
    outfit: &Outfit,
    sender: &Sender,
    receiver: &Receiver,
    notification: &Notification,
    timeout: Duration,
) -> Trial {
    let trace = Trace::default();
    let now = notification.now;
    let (outcome, _) = attempt::run(outfit, sender, notification, now, timeout, Some(&trace)).await;
    let mut secrets: Vec<String> = std::mem::take(&mut *trace.secrets.lock());
    for integration in &receiver.integrations {
        integration
            .options
            .secrets(&mut |secret| secrets.push(secret.to_owned()));
    }
    secrets.extend(sender.file_secrets());
    let mask = Mask::new(secrets);
    let exchanges = std::mem::take(&mut *trace.exchanges.lock())
        .into_iter()
        .map(|(request, reply)| {
            (
                mask.hide(&request_text(&request)),
                mask.hide(&reply_text(&reply)),
            )
        })
        .collect();
    let verdict = match outcome.verdict {
        Verdict::Delivered => Verdict::Delivered,
        Verdict::Retry { after, reason } => Verdict::Retry {
            after,
            reason: mask.hide(&reason),
        },
        Verdict::GiveUp { reason } => Verdict::GiveUp {
            reason: mask.hide(&reason),
        },
    };
    Trial {
        integration: sender.name.clone(),
        exchanges,
        verdict,
    }
}

/// The test notification: it says of itself what it is.
fn notification(
    receiver: &str,
    integration: usize,
    resolved: bool,
    now: WallTime,
    timeout: Duration,
) -> Notification {
    let labels = Labels::from_pairs([
        ("alertname", "WatchfireTestNotification"),
        ("severity", "none"),
        ("test", "true"),
    ]);
    let annotations = Labels::from_pairs([
        ("summary", "This is a test notification. Nothing is wrong."),
        (
            "description",
            "Somebody ran `watchfire receivers test` to see whether notifications arrive here.",
        ),
    ]);
    let group_labels = Labels::from_pairs([("alertname", "WatchfireTestNotification")]);
    let millis = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
    Notification {
        id: 1,
        attempt: 1,
        receiver: receiver.to_owned(),
        integration,
        group_key: format!(
            "{{}}/{{test=\"true\"}}:{}",
            crate::alerting::label_set_text(&group_labels)
        ),
        group_labels,
        route_labels: Vec::new(),
        alerts: [Alert {
            labels,
            annotations,
            starts_at: now - Span::minutes(1),
            ends_at: if resolved { now } else { WallTime::ZERO },
            updated_at: now,
            generator_url: "".into(),
            timeout: false,
        }]
        .into(),
        reason: if resolved {
            NotifyReason::AllAlertsResolved
        } else {
            NotifyReason::FirstNotification
        },
        now,
        deadline: now + Span::from_ms(millis),
        kept: None,
    }
}

fn request_text(request: &Outgoing) -> String {
    match request {
        Outgoing::Http(request) => http_request(request),
        Outgoing::Email(message) => email(message),
    }
}

fn http_request(request: &HttpRequest) -> String {
    let mut out = format!("{} {}\n", request.method, request.url);
    for (name, value) in &request.headers {
        let lower = name.to_ascii_lowercase();
        let secret = ["auth", "token", "key", "secret", "cookie"];
        let value = if secret.iter().any(|word| lower.contains(word)) {
            MASK
        } else {
            value
        };
        let _ = writeln!(out, "{name}: {value}");
    }
    out.push('\n');
    out.push_str(&shown(&request.body));
    out
}

fn email(message: &EmailMessage) -> String {
    format!(
        "mail through {}:{} from {} to {}\n\n{}",
        message.host,
        message.port,
        message.from,
        message.to.join(", "),
        shown(&message.data)
    )
}

fn reply_text(reply: &Reply) -> String {
    match reply {
        Reply::Http(HttpReply {
            status,
            headers,
            body,
            whole,
        }) => {
            let mut out = format!("HTTP status {status}\n");
            for (name, value) in headers {
                let lower = name.to_ascii_lowercase();
                if matches!(&*lower, "content-type" | "retry-after") || lower.contains("ratelimit")
                {
                    let _ = writeln!(out, "{name}: {value}");
                }
            }
            out.push('\n');
            out.push_str(&shown(body));
            if !whole {
                out.push_str("\n(the answer did not come to its end)");
            }
            out
        }
        Reply::MailAccepted => "the mail server took the message".to_owned(),
        Reply::MailRefused { reason, .. } => format!("the mail server refused: {reason}"),
        Reply::Failed { reason } => format!("no answer: {reason}"),
    }
}

/// The begin of a body as text; control characters would reach the terminal.
fn shown(body: &[u8]) -> String {
    let cut = body.get(..BODY_SHOWN_MAX).unwrap_or(body);
    let mut text: String = String::from_utf8_lossy(cut)
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    if body.len() > BODY_SHOWN_MAX {
        let _ = write!(text, "\n... {} bytes in all", body.len());
    }
    text
}

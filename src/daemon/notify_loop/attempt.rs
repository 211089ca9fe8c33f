//! One attempt at a notification: as many requests as the receiver needs.

use std::path::Path;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::mask::Mask;
use super::meter::Reason;
use super::outfit::{Outfit, Sender};
use super::sink;
use super::trial::Trace;
use crate::alerting::receivers::{
    HttpReply, HttpRequest, NotifyContext, Outcome, Outgoing, Progress, Reply, Stage, USER_AGENT,
};
use crate::alerting::{Notification, Verdict};
use crate::daemon::net::{Client, Request};
use crate::time::WallTime;

/// Requests of one attempt; receivers need a handful at most.
const REQUESTS_MAX: usize = 16;
/// How much of an answer is read.
const REPLY_BYTES_MAX: u64 = 4 << 20;

pub(super) async fn run(
    outfit: &Outfit,
    sender: &Sender,
    notification: &Notification,
    now: WallTime,
    left: Duration,
    trace: Option<&Trace>,
) -> (Outcome, Reason) {
    let files = Mutex::default();
    let (mut outcome, reason) = talk(outfit, sender, notification, now, left, trace, &files).await;
    if let Verdict::Retry { reason: text, .. } | Verdict::GiveUp { reason: text } =
        &mut outcome.verdict
    {
        let mut secrets = sender.secrets.clone();
        secrets.append(&mut files.into_inner());
        secrets.extend(sender.file_secrets());
        *text = Mask::new(secrets).hide(text);
    }
    (outcome, reason)
}

/// The attempt itself; what files with secrets held is added to `files`.
async fn talk(
    outfit: &Outfit,
    sender: &Sender,
    notification: &Notification,
    now: WallTime,
    left: Duration,
    trace: Option<&Trace>,
    files: &Mutex<Vec<String>>,
) -> (Outcome, Reason) {
    let mut reason = Reason::Other;
    let Some(integration) = &sender.integration else {
        let outcome = match &sender.sink {
            Some(to) => sink::write(to, sink::line(&sender.name, notification, None, now)).await,
            None => show(notification),
        };
        return (outcome, reason);
    };
    let deadline = Instant::now() + sender.timeout.unwrap_or(left).min(left);
    let read_file = |path: &Path| {
        let content = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
        files.lock().push(content.trim().to_owned());
        if let Some(trace) = trace {
            trace.secret(&content);
        }
        Ok(content)
    };
    let seed = fastrand::u64(..);
    let context = || NotifyContext {
        templates: &outfit.templates,
        external_url: &outfit.external_url,
        now,
        kept: notification.kept.as_ref(),
        read_file: &read_file,
        hostname: &outfit.hostname,
        seed,
        aws: outfit.aws.as_ref(),
    };
    let mut stage = Stage::default();
    let mut unanswered = false;
    let mut outgoing = match integration.request(&context(), notification) {
        Ok(outgoing) => outgoing,
        Err(error) => return (error.into_outcome(), reason),
    };
    if let Some(to) = &sender.sink {
        let line = sink::line(&sender.name, notification, Some(&outgoing), now);
        return (sink::write(to, line).await, reason);
    }
    for _ in 0..REQUESTS_MAX {
        let left = deadline.saturating_duration_since(Instant::now());
        // Bodies may be large and many are under way: only who looks on gets a copy.
        let seen = trace.map(|trace| (trace, outgoing.clone()));
        let reply = match outgoing {
            Outgoing::Http(request) => {
                let reply;
                (reply, unanswered) = send(&sender.client, request, left).await;
                reply
            }
            Outgoing::Email(message) => sender.mailer.send(&message, left).await,
        };
        if let Some((trace, outgoing)) = seen {
            trace.exchange(outgoing, &reply);
        }
        reason = match &reply {
            Reply::Http(answer) => Reason::of_status(answer.status),
            _ => Reason::Other,
        };
        match integration.next(&context(), notification, &mut stage, reply) {
            Progress::Send(next) => outgoing = next,
            Progress::Finished(outcome) => {
                return (
                    Outcome {
                        unanswered,
                        ..outcome
                    },
                    reason,
                );
            }
        }
    }
    let endless = ended(Verdict::GiveUp {
        reason: format!("no end after {REQUESTS_MAX} requests"),
    });
    (endless, reason)
}

fn ended(verdict: Verdict) -> Outcome {
    Outcome {
        verdict,
        keep: None,
        unanswered: false,
    }
}

fn failed(reason: &str) -> Reply {
    Reply::Failed {
        reason: reason.to_owned(),
    }
}

/// The reply, and whether there was none though the request may have arrived.
async fn send(client: &Client, request: HttpRequest, left: Duration) -> (Reply, bool) {
    let mut out = Request::get(request.url, left);
    out.method = Method::from_bytes(request.method.as_bytes()).unwrap_or(Method::POST);
    out.body = request.body.into();
    out.body_limit = REPLY_BYTES_MAX;
    // compat: upstream decides by the status and throws away a body that it does not need.
    out.head_counts = true;
    out.headers.insert(
        http::header::USER_AGENT,
        HeaderValue::from_static(USER_AGENT),
    );
    for (name, value) in &request.headers {
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name.as_bytes()),
            HeaderValue::from_str(value),
        ) else {
            return (failed("a header field cannot be sent"), false);
        };
        out.headers.insert(name, value);
    }
    match client.send(out).await {
        // The address may be secret: only the cause is told.
        Err(error) => (failed(&error.cause().to_string()), error.may_have_arrived()),
        Ok(response) => (
            Reply::Http(HttpReply {
                status: response.status.as_u16(),
                headers: response
                    .headers
                    .iter()
                    .map(|(name, value)| {
                        let value = String::from_utf8_lossy(value).into_owned();
                        (name.to_owned(), value)
                    })
                    .collect(),
                body: response.body.to_vec(),
                whole: response.whole,
            }),
            false,
        ),
    }
}

/// Shows a notification in the log.
fn show(notification: &Notification) -> Outcome {
    for alert in &*notification.alerts {
        let status = if alert.ends_at.is_zero() {
            "firing"
        } else {
            "resolved"
        };
        tracing::info!(
            status,
            labels = %alert.labels,
            annotations = %alert.annotations,
            reason = notification.reason.as_str(),
            "alert notification"
        );
    }
    ended(Verdict::Delivered)
}

//! Test sinks: what a receiver would have been sent goes to a file or to standard output, one JSON
//! object per line.
//!
//! The message is made as if it were to leave, so a template that fails shows here as well. Of an
//! exchange of several requests there is the first: nobody answers.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use serde_json::{Value, json};

use crate::alerting::receivers::{Outcome, Outgoing};
use crate::alerting::{Notification, Verdict};
use crate::config::watchfire::Sink;
use crate::http::json::labels;
use crate::time::WallTime;

/// Writes one line; a sink that takes nothing is tried again, as a receiver is.
pub(super) async fn write(sink: &Sink, mut line: String) -> Outcome {
    line.push('\n');
    let sink = sink.clone();
    let written = tokio::task::spawn_blocking(move || append(&sink, &line)).await;
    let verdict = match written {
        Ok(Ok(())) => Verdict::Delivered,
        Ok(Err(error)) => Verdict::Retry {
            after: None,
            reason: format!("the sink cannot be written: {error}"),
        },
        Err(_) => Verdict::Retry {
            after: None,
            reason: "the program ends".to_owned(),
        },
    };
    Outcome {
        verdict,
        keep: None,
        unanswered: false,
    }
}

/// One write per line, so that lines of several receivers do not mix.
fn append(sink: &Sink, line: &str) -> io::Result<()> {
    match sink {
        Sink::File(path) => {
            // Bodies hold what receivers are told, keys among it: nobody else may read them.
            let mut file = OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)?;
            file.write_all(line.as_bytes())
        }
        Sink::Stdout => {
            let mut out = io::stdout().lock();
            out.write_all(line.as_bytes())?;
            out.flush()
        }
    }
}

/// What is written of a notification. Address and header fields of a request may be secret and stay out.
pub(super) fn line(
    integration: &str,
    notification: &Notification,
    outgoing: Option<&Outgoing>,
    now: WallTime,
) -> String {
    let alerts: Vec<Value> = notification
        .alerts
        .iter()
        .map(|alert| {
            let resolved = !alert.ends_at.is_zero();
            json!({
                "status": if resolved { "resolved" } else { "firing" },
                "labels": labels(&alert.labels),
                "annotations": labels(&alert.annotations),
                "startsAt": alert.starts_at.to_string(),
                "endsAt": alert.ends_at.to_string(),
            })
        })
        .collect();
    let mut line = json!({
        "time": now.to_string(),
        "receiver": notification.receiver,
        "integration": integration,
        "groupKey": notification.group_key,
        "reason": notification.reason.as_str(),
        "alerts": alerts,
    });
    match outgoing {
        Some(Outgoing::Http(request)) => {
            line["method"] = request.method.into();
            line["body"] = text_or_json(&request.body);
        }
        Some(Outgoing::Email(message)) => {
            line["from"] = message.from.clone().into();
            line["to"] = message.to.clone().into();
            line["message"] = String::from_utf8_lossy(&message.data).into();
        }
        None => {}
    }
    line.to_string()
}

fn text_or_json(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into())
}

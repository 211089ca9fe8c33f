//! An inbox that stands in for Slack, PagerDuty, webhooks and a mail server, and shows what they would get.
//!
//! `watchfire inbox` and the demo use it. It accepts everything, answers as the real receiver would, and
//! hands each notification on as a [`Notification`] that reads well on a terminal.

mod http;
mod show;
mod smtp;

pub use show::{Kind, Notification};

use tokio::net::TcpListener;
use tokio::sync::mpsc;

/// How many notifications may wait for whoever shows them; senders wait beyond that.
const QUEUE: usize = 256;

/// Serves HTTP on one listener and, if given, SMTP on another until the receiver is dropped.
pub fn start(
    http_listener: TcpListener,
    smtp_listener: Option<TcpListener>,
) -> mpsc::Receiver<Notification> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    if let Some(listener) = smtp_listener {
        tokio::spawn(smtp::serve(listener, sender.clone()));
    }
    tokio::spawn(http::serve(http_listener, sender));
    receiver
}

//! What receivers make of answers; what they send is compared with Alertmanager's in `tests/conformance/notify.rs`.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::*;
use crate::alerting::{NotifyReason, Verdict, templates};
use crate::model::http_client::SecretSource;
use crate::model::{Alert, Labels, Secret};
use crate::time::{Span, WallTime};

const NOW: WallTime = WallTime::from_ms(1_700_000_000_000);

/// A section of options.
struct Options(Json);

impl Fields for Options {
    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }
    fn secret(&self, _: &str) -> Option<&Secret> {
        None
    }
    fn flag(&self, name: &str) -> Option<bool> {
        self.0.get(name)?.as_bool()
    }
    fn int(&self, name: &str) -> Option<i64> {
        self.0.get(name)?.as_i64()
    }
    fn nanoseconds(&self, _: &str) -> Option<i64> {
        None
    }
    fn map(&self, _: &str) -> &[(String, String)] {
        &[]
    }
    fn texts(&self, _: &str) -> &[String] {
        &[]
    }
    fn any(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }
    fn section(&self, _: &str) -> Option<&dyn Fields> {
        None
    }
    fn sections(&self, _: &str) -> Vec<&dyn Fields> {
        Vec::new()
    }
}

fn notification() -> Notification {
    let alert = Alert {
        labels: Labels::from_pairs([("alertname", "Down")]),
        annotations: Labels::empty(),
        starts_at: NOW,
        ends_at: WallTime::ZERO,
        generator_url: "".into(),
        updated_at: NOW,
        timeout: false,
    };
    Notification {
        id: 1,
        attempt: 1,
        receiver: "team".to_owned(),
        integration: 0,
        group_key: "{}:{}".to_owned(),
        group_labels: Labels::empty(),
        route_labels: Vec::new(),
        alerts: Arc::new([alert]),
        reason: NotifyReason::NewAlertsInGroup,
        now: NOW,
        deadline: NOW + Span::minutes(5),
        kept: None,
    }
}

fn slack_says(body: &Json) -> Reply {
    Reply::Http(HttpReply {
        status: 200,
        headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
        body: body.to_string().into_bytes(),
        whole: true,
    })
}

/// Plays a notification of Slack with a message to edit: addresses and bodies of the requests, and the outcome.
fn edit(answers: &[Json]) -> (Vec<(String, Json)>, Outcome) {
    let mut slack = Slack::read(&Options(json!({"channel": "#x", "update_message": true})));
    slack.app_token = SecretSource::Inline(Secret::new("token"));
    let slack = Integration::Slack(Box::new(slack));
    let message = Kept::SlackMessage {
        timestamp: "1.5".to_owned(),
        channel: "C1".to_owned(),
    };
    let set = templates::built_in();
    let ctx = NotifyContext {
        templates: &set,
        external_url: "http://here",
        now: NOW,
        kept: Some(&message),
        read_file: &|_: &Path| Err("no file".to_owned()),
        hostname: "host",
        seed: 1,
        aws: None,
    };
    let notification = notification();
    let mut stage = Stage::default();
    let mut next = slack.request(&ctx, &notification).unwrap();
    let mut sent = Vec::new();
    for answer in answers {
        let Outgoing::Http(request) = &next else {
            panic!("a request")
        };
        let body = serde_json::from_slice(&request.body).unwrap();
        sent.push((request.url.clone(), body));
        match slack.next(&ctx, &notification, &mut stage, slack_says(answer)) {
            Progress::Send(another) => next = another,
            Progress::Finished(outcome) => return (sent, outcome),
        }
    }
    panic!("no end: {sent:?}")
}

#[test]
fn slack_edits_the_groups_message() {
    let (sent, outcome) = edit(&[json!({"ok": true, "ts": "1.5", "channel": "C1"})]);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].0, "https://slack.com/api/chat.update");
    assert_eq!(
        (&sent[0].1["ts"], &sent[0].1["channel"]),
        (&json!("1.5"), &json!("C1"))
    );
    assert_eq!(outcome.verdict, Verdict::Delivered);
}

#[test]
fn slack_is_sent_a_new_message_where_the_old_one_cannot_be_edited() {
    let gone = json!({"ok": false, "error": "message_not_found"});
    let (sent, outcome) = edit(&[
        gone.clone(),
        json!({"ok": true, "ts": "2.5", "channel": "C1"}),
    ]);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[1].0, "https://slack.com/api/chat.postMessage");
    assert_eq!(
        (&sent[1].1["ts"], &sent[1].1["channel"]),
        (&Json::Null, &json!("#x"))
    );
    assert_eq!(outcome.verdict, Verdict::Delivered);
    let new = Kept::SlackMessage {
        timestamp: "2.5".to_owned(),
        channel: "C1".to_owned(),
    };
    assert_eq!(outcome.keep, Some(new), "edited from now on");
    // One new message, not one after the other.
    let (sent, outcome) = edit(&[gone, json!({"ok": false, "error": "channel_not_found"})]);
    assert_eq!(sent.len(), 2);
    assert!(matches!(outcome.verdict, Verdict::GiveUp { .. }));
    // What is about the moment is tried again as it is.
    let (sent, outcome) = edit(&[json!({"ok": false, "error": "ratelimited"})]);
    assert_eq!(sent.len(), 1);
    assert!(matches!(outcome.verdict, Verdict::Retry { .. }));
}

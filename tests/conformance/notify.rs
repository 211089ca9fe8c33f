//! Group `notify`: what a real Alertmanager sent for the same configuration and alerts. The router core
//! decides what is told to whom, the receivers make the requests, each is compared with the capture.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use watchfire::alerting::matchers::Syntax;
use watchfire::alerting::receivers::{
    EmailMessage, HttpReply, HttpRequest, Integration, NotifyContext, Outgoing, Progress, Reply,
    Stage,
};
use watchfire::alerting::router::{Router, RouterOptions};
use watchfire::alerting::{Action, Notification, Verdict, templates};
use watchfire::config::alertmanager::{self, AlertmanagerConfig};
use watchfire::disk::memory::MemoryDisk;
use watchfire::model::{Alert, Labels};
use watchfire::time::{Span, WallTime};

use crate::harness::{Group, folder};

const EXTERNAL_URL: &str = "http://alertmanager.example.com:9093";
const START: &str = "2026-11-20T20:42:02Z";

#[test]
fn notify() {
    let Some(folder) = folder().map(|folder| folder.join("notify/golden")) else {
        return;
    };
    let mut group = Group::new("notify");
    let yaml = std::fs::read_to_string(folder.join("alertmanager.yml")).unwrap();
    let config = alertmanager::parse(&yaml, Syntax::Fallback).unwrap();
    let inputs = read(&folder, "input_alerts.json");
    let inputs = &inputs["scenarios"];
    let mut world = World::new(&config);
    let start = WallTime::parse_rfc3339(START).unwrap();
    for (scenario, at_s, file) in [
        ("s1-single-firing", 0, "s1-single-firing"),
        ("s2-multi-firing-escapes", 10, "s2-multi-firing-escapes"),
        (
            "s3-firing-and-resolved",
            20,
            "s3a-firing-and-resolved-first-flush",
        ),
        ("s6-resolved-after-s1", 40, "s6-resolved-after-s1"),
    ] {
        let now = start + Span::seconds(at_s);
        let mut alerts = alerts(&inputs[scenario]);
        if file.starts_with("s3a") {
            // The real one flushed the group before it had seen the second alert.
            alerts.truncate(1);
        }
        let sent = world.run(now, alerts);
        let captured = read(&folder, &format!("{file}.captured.json"));
        compare(&mut group, file, &sent, captured.as_array().unwrap());
    }
    group.finish();
}

fn read(folder: &Path, name: &str) -> Json {
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn set(json: &Json) -> Labels {
    let pairs = json.as_object().unwrap().iter();
    Labels::from_pairs(pairs.map(|(name, value)| (name, value.as_str().unwrap())))
}

fn alerts(json: &Json) -> Vec<Alert> {
    let time =
        |alert: &Json, name: &str| WallTime::parse_rfc3339(alert[name].as_str().unwrap()).unwrap();
    let list = json.as_array().unwrap();
    list.iter()
        .map(|alert| Alert {
            labels: set(&alert["labels"]),
            annotations: set(&alert["annotations"]),
            starts_at: time(alert, "startsAt"),
            ends_at: time(alert, "endsAt"),
            generator_url: alert["generatorURL"].as_str().unwrap().into(),
            updated_at: WallTime::ZERO,
            timeout: false,
        })
        .collect()
}

/// Router and receivers together.
struct World {
    router: Router,
    integrations: BTreeMap<String, Vec<Integration>>,
}

impl World {
    fn new(config: &AlertmanagerConfig) -> Self {
        let router = Router::open(
            Arc::new(MemoryDisk::new()),
            "router",
            RouterOptions::default(),
            config.router(),
            WallTime::parse_rfc3339(START).unwrap(),
        )
        .unwrap();
        let integrations = config
            .receivers
            .iter()
            .map(|receiver| {
                let built = receiver.integrations.iter().map(|i| i.build().unwrap());
                (receiver.name.clone(), built.collect())
            })
            .collect();
        Self {
            router,
            integrations,
        }
    }

    /// Hands alerts in and collects what is sent in the first seconds after.
    fn run(&mut self, now: WallTime, alerts: Vec<Alert>) -> Vec<Outgoing> {
        assert!(self.router.on_alerts(now, alerts).is_empty());
        let mut sent = Vec::new();
        for step in 0..=40 {
            let now = now + Span::from_ms(step * 100);
            while let Some(action) = self.router.poll(now) {
                let Action::Notify(notification) = action else {
                    continue;
                };
                sent.extend(self.deliver(&notification));
                self.router
                    .on_delivery(now, notification.id, Verdict::Delivered);
            }
            if !sent.is_empty() {
                break;
            }
        }
        sent
    }

    fn deliver(&self, notification: &Notification) -> Vec<Outgoing> {
        let set = templates::built_in();
        let ctx = NotifyContext {
            templates: &set,
            external_url: EXTERNAL_URL,
            now: notification.now,
            kept: None,
            read_file: &|path| Err(format!("no file {}", path.display())),
            hostname: "vm",
            seed: 7,
            aws: None,
        };
        let integration = &self.integrations[&notification.receiver][notification.integration];
        let mut stage = Stage::default();
        let mut sent = Vec::new();
        let mut next = integration.request(&ctx, notification).unwrap();
        loop {
            sent.push(next.clone());
            let reply = match next {
                Outgoing::Email(_) => Reply::MailAccepted,
                Outgoing::Http(_) => Reply::Http(HttpReply {
                    status: 200,
                    headers: Vec::new(),
                    body: b"ok".to_vec(),
                    whole: true,
                }),
            };
            match integration.next(&ctx, notification, &mut stage, reply) {
                Progress::Send(outgoing) => next = outgoing,
                Progress::Finished(_) => return sent,
            }
        }
    }
}

/// Pairs what was sent with what was captured, by address and, where two share one, by body.
fn compare(group: &mut Group, scenario: &str, sent: &[Outgoing], captured: &[Json]) {
    let mut open: Vec<Normal> = sent.iter().map(normal_sent).collect();
    for capture in captured {
        let want = normal_captured(capture);
        let name = format!("{scenario} {}", want.address);
        let exact = open.iter().position(|found| *found == want);
        let near = open.iter().position(|found| found.address == want.address);
        match exact.or(near) {
            None => group.fail(format!("{name}: not sent")),
            Some(at) => {
                let found = open.remove(at);
                group.check(&name, found.same_as(&want));
            }
        }
    }
    for left in open {
        group.fail(format!("{scenario} {}: sent, not captured", left.address));
    }
}

/// A message without what differs from run to run.
#[derive(Debug, PartialEq, Eq)]
struct Normal {
    address: String,
    headers: Vec<String>,
    body: String,
}

impl Normal {
    fn same_as(&self, want: &Self) -> Result<(), String> {
        if self == want {
            return Ok(());
        }
        let at = self
            .body
            .bytes()
            .zip(want.body.bytes())
            .position(|(a, b)| a != b)
            .unwrap_or_else(|| self.body.len().min(want.body.len()));
        let around = |text: &str| {
            let from = at.saturating_sub(60);
            String::from_utf8_lossy(&text.as_bytes()[from..text.len().min(at + 120)]).into_owned()
        };
        Err(format!(
            "\n    want {:?} {:?}\n    got  {:?} {:?}",
            want.headers,
            around(&want.body),
            self.headers,
            around(&self.body)
        ))
    }
}

/// Our name differs from Alertmanager's, and so may the client's own header fields.
fn relevant(name: &str) -> bool {
    ["authorization", "content-type"].contains(&name.to_ascii_lowercase().as_str())
}

fn normal_sent(outgoing: &Outgoing) -> Normal {
    match outgoing {
        Outgoing::Http(request) => normal_request(request),
        Outgoing::Email(email) => normal_email(email),
    }
}

fn normal_request(request: &HttpRequest) -> Normal {
    let path = request
        .url
        .strip_prefix("http://127.0.0.1:19999")
        .unwrap_or(&request.url);
    let mut headers: Vec<String> = request
        .headers
        .iter()
        .filter(|(name, _)| relevant(name))
        .map(|(name, value)| format!("{}: {value}", name.to_lowercase()))
        .collect();
    // `http_config` is the client's business, not the receiver's.
    headers.retain(|header| !header.starts_with("authorization: Bearer tok"));
    headers.sort();
    let body = String::from_utf8(request.body.clone()).unwrap();
    Normal {
        address: format!("{} {path}", request.method),
        headers,
        // Since 0.34 webhooks carry the route's labels.
        body: body.replace(",\"routeLabels\":{}", ""),
    }
}

fn normal_email(email: &EmailMessage) -> Normal {
    let envelope = format!("SMTP {} -> {}", email.from, email.to.join(","));
    normal_mail(envelope, &String::from_utf8(email.data.clone()).unwrap())
}

fn normal_captured(capture: &Json) -> Normal {
    let text = |name: &str| capture[name].as_str().unwrap_or_default().to_owned();
    if capture["method"] == "SMTP" {
        let envelope = &capture["envelope"];
        return normal_mail(envelope_text(envelope), &text("body"));
    }
    let mut headers: Vec<String> = capture["headers"]
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| relevant(name))
        .map(|(name, value)| format!("{}: {}", name.to_lowercase(), value.as_str().unwrap()))
        .collect();
    headers.retain(|header| !header.starts_with("authorization: Bearer tok"));
    headers.sort();
    Normal {
        address: format!("{} {}", text("method"), text("path")),
        headers,
        body: text("body"),
    }
}

fn envelope_text(envelope: &Json) -> String {
    let bare = |text: &str| {
        let text = text.rsplit(':').next().unwrap_or(text);
        let text = text.split_whitespace().next().unwrap_or(text);
        text.trim_matches(['<', '>']).to_owned()
    };
    let all = envelope.to_string();
    let lines: Vec<String> = match envelope {
        Json::Array(lines) => lines
            .iter()
            .map(|line| line.as_str().unwrap_or_default().to_owned())
            .collect(),
        _ => panic!("an envelope of another shape: {all}"),
    };
    let pick = |word: &str| -> Vec<String> {
        lines
            .iter()
            .filter(|line| line.to_uppercase().starts_with(word))
            .map(|line| bare(line))
            .collect()
    };
    format!(
        "SMTP {} -> {}",
        pick("MAIL").join(","),
        pick("RCPT").join(",")
    )
}

/// compat: upstream writes header fields in random order.
fn normal_mail(address: String, data: &str) -> Normal {
    let data = data.replace("\r\n", "\n");
    let (head, body) = data.split_once("\n\n").unwrap();
    let boundary = head
        .split_once("boundary=")
        .map(|(_, rest)| rest.lines().next().unwrap().to_owned())
        .unwrap();
    assert_eq!(boundary.len(), 60, "{boundary}");
    let mut headers: Vec<String> = head
        .lines()
        .map(|line| match line.split_once(": ") {
            Some((name @ ("Date" | "Message-Id"), _)) => name.to_owned(),
            _ => line.replace(&boundary, "BOUNDARY"),
        })
        .collect();
    headers.sort();
    Normal {
        address,
        headers,
        body: body.replace(&boundary, "BOUNDARY").trim_end().to_owned(),
    }
}

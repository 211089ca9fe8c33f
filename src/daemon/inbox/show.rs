use std::fmt::Write as _;

use serde_json::Value;

/// Who would have got the notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A Slack webhook or bot.
    Slack,
    /// PagerDuty's events API.
    PagerDuty,
    /// A webhook that takes Alertmanager's JSON.
    Webhook,
    /// A mail server.
    Email,
    /// Something else that speaks HTTP.
    Other,
}

impl Kind {
    /// The name to show.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "Slack",
            Self::PagerDuty => "PagerDuty",
            Self::Webhook => "webhook",
            Self::Email => "e-mail",
            Self::Other => "HTTP",
        }
    }
}

/// A notification that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Who would have got it.
    pub kind: Kind,
    /// Whether it says that something is over.
    pub resolved: bool,
    /// One line: where it goes and what it is about.
    pub title: String,
    /// What a person would read, line by line.
    pub lines: Vec<String>,
}

/// Lines of an unknown body are cut here, so that a flood stays readable.
const LINES_MAX: usize = 40;

impl Notification {
    /// Recognises what was posted to `path`.
    pub(super) fn from_http(path: &str, body: &[u8]) -> Self {
        let Ok(json) = serde_json::from_slice::<Value>(body) else {
            let text = String::from_utf8_lossy(body);
            let lines = text.lines().take(LINES_MAX).map(printable).collect();
            return Self {
                kind: Kind::Other,
                resolved: false,
                title: printable(path),
                lines,
            };
        };
        if json.get("event_action").is_some() {
            return pager_duty(&json);
        }
        if json.get("attachments").is_some()
            || (json.get("channel").is_some() && json.get("text").is_some())
        {
            return slack(&json);
        }
        if json.get("alerts").is_some() && json.get("groupKey").is_some() {
            return webhook(&json);
        }
        let text = serde_json::to_string_pretty(&json).unwrap_or_default();
        let lines = text.lines().take(LINES_MAX).map(printable).collect();
        Self {
            kind: Kind::Other,
            resolved: false,
            title: printable(path),
            lines,
        }
    }

    /// Shows a message as it came over SMTP: the interesting headers and the text part.
    pub(super) fn from_mail(recipients: &[String], message: &str) -> Self {
        let (head, body) = message.split_once("\n\n").unwrap_or((message, ""));
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.eq_ignore_ascii_case(name)
                    .then(|| printable(value.trim()))
            })
        };
        let subject = header("Subject").unwrap_or_default();
        let lines = body
            .lines()
            .filter(|line| !line.trim().is_empty())
            .take(LINES_MAX)
            .map(printable)
            .collect();
        Self {
            kind: Kind::Email,
            resolved: subject.to_uppercase().contains("RESOLVED"),
            title: format!("to {}: {subject}", recipients.join(", ")),
            lines,
        }
    }

    /// The notification as a block of plain text.
    pub fn block(&self) -> String {
        let mut out = String::new();
        let state = if self.resolved { "resolved" } else { "firing" };
        let _ = writeln!(out, "{} | {state} | {}", self.kind.as_str(), self.title);
        for line in &self.lines {
            let _ = writeln!(out, "    {line}");
        }
        out
    }
}

fn slack(json: &Value) -> Notification {
    let mut lines = Vec::new();
    let mut resolved = false;
    for attachment in list(json, "attachments") {
        let color = text(attachment, "color");
        resolved |= color == "good";
        for field in ["pretext", "title", "text"] {
            lines.extend(text(attachment, field).lines().map(printable));
        }
        for field in list(attachment, "fields") {
            lines.push(printable(&format!(
                "{}: {}",
                text(field, "title"),
                text(field, "value")
            )));
        }
    }
    lines.extend(text(json, "text").lines().map(printable));
    let title = lines.first().cloned().unwrap_or_default();
    resolved |= title.contains("RESOLVED");
    lines.retain(|line| *line != title && !line.trim().is_empty());
    Notification {
        kind: Kind::Slack,
        resolved,
        title: format!("{} {title}", printable(text(json, "channel"))),
        lines,
    }
}

fn pager_duty(json: &Value) -> Notification {
    let action = text(json, "event_action");
    let payload = &json["payload"];
    let mut lines = vec![printable(&format!(
        "dedup key: {}",
        text(json, "dedup_key")
    ))];
    if !text(payload, "severity").is_empty() {
        lines.push(printable(&format!(
            "severity: {}",
            text(payload, "severity")
        )));
    }
    if let Some(details) = payload["custom_details"].as_object() {
        for (name, value) in details {
            // The default details list whole alerts; their summaries are what a person reads.
            if let Some(alerts) = value.as_array() {
                lines.extend(alerts.iter().map(|alert| {
                    let summary = text(&alert["annotations"], "summary");
                    let shown = if summary.is_empty() {
                        alert.to_string()
                    } else {
                        summary.to_owned()
                    };
                    printable(&format!("{name}: {shown}"))
                }));
                continue;
            }
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            lines.extend(format!("{name}: {}", value.trim()).lines().map(printable));
        }
    }
    lines.truncate(LINES_MAX);
    Notification {
        kind: Kind::PagerDuty,
        resolved: action == "resolve",
        title: printable(&format!("{action} {}", text(payload, "summary"))),
        lines,
    }
}

fn webhook(json: &Value) -> Notification {
    let pairs = |value: &Value| {
        let fields = value.as_object().into_iter().flatten();
        fields
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let mut lines = Vec::new();
    for alert in list(json, "alerts").iter().take(LINES_MAX) {
        lines.push(printable(&format!(
            "{}: {}",
            text(alert, "status"),
            pairs(&alert["labels"])
        )));
        lines.push(printable(&format!("  {}", pairs(&alert["annotations"]))));
    }
    lines.retain(|line| !line.trim().is_empty());
    Notification {
        kind: Kind::Webhook,
        resolved: text(json, "status") == "resolved",
        title: printable(&format!(
            "receiver {}: {}",
            text(json, "receiver"),
            pairs(&json["groupLabels"])
        )),
        lines,
    }
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value
        .get(field)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// What arrives must not drive the terminal: control characters become visible marks.
fn printable(text: &str) -> String {
    text.trim_end()
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_recognised_by_its_event_action() {
        let body = br#"{"routing_key":"k","dedup_key":"d","event_action":"trigger","payload":{"summary":"API down","severity":"critical"}}"#;
        let shown = Notification::from_http("/pagerduty", body);
        assert_eq!((shown.kind, shown.resolved), (Kind::PagerDuty, false));
        assert_eq!(
            shown.block(),
            "PagerDuty | firing | trigger API down\n    dedup key: d\n    severity: critical\n"
        );
    }

    #[test]
    fn a_green_slack_message_is_a_resolve() {
        let body = br##"{"channel":"#alerts","attachments":[{"color":"good","title":"[RESOLVED] Disk","text":"fine again"}]}"##;
        let shown = Notification::from_http("/slack", body);
        assert_eq!((shown.kind, shown.resolved), (Kind::Slack, true));
        assert_eq!(shown.title, "#alerts [RESOLVED] Disk");
    }

    #[test]
    fn control_characters_cannot_drive_the_terminal() {
        let shown = Notification::from_http("/x", b"\x1b[2Jgone");
        assert!(!shown.block().contains('\x1b'));
    }
}

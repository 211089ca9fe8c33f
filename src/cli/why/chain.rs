//! Decisions as a story: per alert, per receiver, with the verdict at the end.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cli::amtool;
use crate::time::WallTime;

/// Decisions shown for one integration unless all are wanted.
const SHOWN_MAX: usize = 12;

/// One decision of the API.
struct Decision<'a> {
    at: WallTime,
    last: WallTime,
    count: u64,
    stage: &'a str,
    detail: &'a str,
    integration: &'a str,
}

impl<'a> Decision<'a> {
    fn read(value: &'a Value) -> Self {
        let time = |name: &str| {
            let text = value[name].as_str().unwrap_or_default();
            WallTime::parse_rfc3339(text).unwrap_or(WallTime::ZERO)
        };
        Self {
            at: time("at"),
            last: time("last"),
            count: value["count"].as_u64().unwrap_or(1),
            stage: text(&value["stage"]),
            detail: text(&value["detail"]),
            integration: text(&value["integration"]),
        }
    }

    /// When it was last made, as seen from `now`.
    fn seen(&self, now: Option<WallTime>) -> WallTime {
        now.map_or(self.last, |now| self.last.min(now))
    }

    fn line(&self) -> String {
        let who = if self.integration.is_empty() {
            String::new()
        } else {
            format!("{}: ", self.integration)
        };
        let again = if self.count > 1 {
            format!(" ({} times, last at {})", self.count, self.last)
        } else {
            String::new()
        };
        format!(
            "    {}  {:<12} {who}{}{again}",
            self.at, self.stage, self.detail
        )
    }
}

/// The story of all alerts.
pub(super) fn lines(
    decisions: &[Value],
    alerts: &[Value],
    now: Option<WallTime>,
    all: bool,
) -> Vec<String> {
    let mut by_alert: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for decision in decisions {
        let fingerprint = text(&decision["fingerprint"]);
        by_alert.entry(fingerprint).or_default().push(decision);
    }
    let mut out = Vec::new();
    for (fingerprint, decisions) in by_alert {
        let labels = decisions
            .first()
            .map(|first| amtool::label_set(&first["labels"]));
        let status = alerts
            .iter()
            .find(|alert| alert["fingerprint"] == fingerprint)
            .map(|alert| format!(", now {}", text(&alert["status"]["state"])))
            .unwrap_or_default();
        out.push(format!(
            "{{{}}}{status}",
            labels.unwrap_or_default().replace("\" ", "\", ")
        ));
        story(&decisions, now, all, &mut out);
    }
    out
}

fn story(decisions: &[&Value], now: Option<WallTime>, all: bool, out: &mut Vec<String>) {
    let mut groups: BTreeMap<(&str, &str), Vec<Decision<'_>>> = BTreeMap::new();
    for value in decisions {
        let key = (text(&value["receiver"]), text(&value["groupKey"]));
        groups.entry(key).or_default().push(Decision::read(value));
    }
    if let Some(received) = groups.remove(&("", "")) {
        tail(&received, all, out);
    }
    let none = groups.is_empty();
    for ((receiver, group), decisions) in groups {
        out.push(format!("  receiver {receiver}, group {group}"));
        tail(&decisions, all, out);
        for verdict in verdicts(&decisions, now) {
            out.push(format!("  => {receiver} {verdict}"));
        }
    }
    if none {
        out.push(
            "  => it was received, and what became of it is not on record any more".to_owned(),
        );
    }
}

fn tail(decisions: &[Decision<'_>], all: bool, out: &mut Vec<String>) {
    let skip = if all {
        0
    } else {
        decisions.len().saturating_sub(SHOWN_MAX)
    };
    if skip > 0 {
        out.push(format!(
            "    ... {skip} earlier decisions; -o extended shows them"
        ));
    }
    out.extend(decisions.iter().skip(skip).map(Decision::line));
}

/// What it comes to, for each integration; for the whole receiver while it never came to integrations.
fn verdicts(decisions: &[Decision<'_>], now: Option<WallTime>) -> Vec<String> {
    let whole = latest(decisions.iter().filter(|d| d.integration.is_empty()), now);
    let mut names: Vec<&str> = decisions.iter().map(|d| d.integration).collect();
    names.retain(|name| !name.is_empty());
    names.sort_unstable();
    names.dedup();
    let mut out = Vec::new();
    if let Some(whole) = whole {
        let muted = matches!(whole.stage, "inhibited" | "inactive" | "muted" | "silenced");
        let since = names
            .iter()
            .filter_map(|name| latest(decisions.iter().filter(|d| d.integration == *name), now))
            .map(|decision| decision.seen(now))
            .max();
        if names.is_empty() || (muted && since.is_none_or(|since| since < whole.seen(now))) {
            return vec![if muted {
                format!("was not told: {}", whole.detail)
            } else {
                format!("has not been told yet: the alert {}", whole.detail)
            }];
        }
    }
    for name in names {
        let own = decisions.iter().filter(|d| d.integration == name);
        let sent = latest(own.clone().filter(|d| d.stage == "sent"), now);
        let Some(last) = latest(own, now) else {
            continue;
        };
        out.push(match last.stage {
            "sent" => format!("was told through {name} at {}: {}", last.last, last.detail),
            "deduplicated" => match sent {
                Some(sent) => format!(
                    "was told through {name} at {} and not again: {}",
                    sent.last, last.detail
                ),
                None => format!("was not told again through {name}: {}", last.detail),
            },
            "intended" => format!("is being told through {name} since {}", last.at),
            "failed" => format!("was not told through {name} yet: {}", last.detail),
            "refused" => format!("was not told through {name}: {}", last.detail),
            "superseded" => format!("was not told through {name} by that flush: {}", last.detail),
            _ => format!("{name}: {}", last.detail),
        });
    }
    out
}

/// The decision that held last; of equals the later one.
fn latest<'d, 'a: 'd>(
    decisions: impl Iterator<Item = &'d Decision<'a>>,
    now: Option<WallTime>,
) -> Option<&'d Decision<'a>> {
    decisions.max_by_key(|decision| decision.seen(now))
}

/// Whether the last that was received says that the alert fires.
pub(super) fn is_firing(decisions: &[Value], now: Option<WallTime>) -> bool {
    let received: Vec<Decision<'_>> = decisions
        .iter()
        .map(Decision::read)
        .filter(|decision| decision.stage == "received")
        .collect();
    latest(received.iter(), now).is_some_and(|decision| decision.detail == "came in firing")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn decision(second: u32, stage: &str, integration: &str, detail: &str) -> Value {
        let receiver = if stage == "received" { "" } else { "team" };
        json!({
            "at": format!("2026-11-21T12:00:{second:02}.000Z"),
            "last": format!("2026-11-21T12:00:{second:02}.000Z"),
            "count": 1,
            "fingerprint": "00ff",
            "labels": {"alertname": "Down", "instance": "a"},
            "groupKey": if receiver.is_empty() { "" } else { "{}:{}" },
            "receiver": receiver,
            "integration": integration,
            "stage": stage,
            "detail": detail,
        })
    }

    fn verdict(decisions: &[Value], now: Option<&str>) -> String {
        let now = now.and_then(WallTime::parse_rfc3339);
        let lines = lines(decisions, &[], now, false);
        let last = lines.last().expect("a story");
        last.trim_start_matches("  => ").to_owned()
    }

    #[test]
    fn the_verdict_is_the_last_word() {
        let mut all = vec![
            decision(1, "received", "", "came in firing"),
            decision(
                1,
                "grouped",
                "",
                "joined the group, which is flushed at 12:00:30",
            ),
        ];
        assert_eq!(
            verdict(&all, None),
            "team has not been told yet: the alert joined the group, which is flushed at 12:00:30"
        );
        all.push(decision(30, "silenced", "", "silenced by X"));
        assert_eq!(verdict(&all, None), "team was not told: silenced by X");
        all.push(decision(35, "intended", "webhook/0", "is to be sent"));
        all.push(decision(36, "sent", "webhook/0", "delivered"));
        assert_eq!(
            verdict(&all, None),
            "team was told through webhook/0 at 2026-11-21T12:00:36Z: delivered"
        );
        all.push(decision(
            40,
            "deduplicated",
            "webhook/0",
            "nothing has changed",
        ));
        assert_eq!(
            verdict(&all, None),
            "team was told through webhook/0 at 2026-11-21T12:00:36Z and not again: nothing has changed"
        );
        all.push(decision(50, "muted", "", "the route is muted in night"));
        assert_eq!(
            verdict(&all, None),
            "team was not told: the route is muted in night"
        );
        assert!(is_firing(&all, None));
        all.push(decision(55, "received", "", "came in resolved"));
        assert!(!is_firing(&all, None));
    }

    #[test]
    fn decisions_that_repeat_hold_until_the_time_that_is_asked_about() {
        let mut silenced = decision(10, "silenced", "", "silenced by X");
        silenced["last"] = json!("2026-11-21T13:00:00.000Z");
        let sent = decision(20, "sent", "webhook/0", "delivered");
        let all = [silenced, sent];
        assert_eq!(
            verdict(&all, Some("2026-11-21T12:30:00Z")),
            "team was not told: silenced by X"
        );
    }
}

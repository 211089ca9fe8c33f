//! A case put through the router.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::file::Case;
use crate::alerting::decisions::Stage;
use crate::alerting::router::{RouterConfig, RouterOptions};
use crate::alerting::{Router, Silence};
use crate::config::alertmanager::AlertmanagerConfig;
use crate::disk::memory::MemoryDisk;
use crate::model::{Alert, Labels};
use crate::time::{Span, WallTime};

/// The time of a case that does not say: no interval depends on it.
const SOME_TIME: WallTime = WallTime::from_ms(1_767_225_600_000);
/// Alerts of a case have fired for so long, so that no group waits for company.
const FIRED_FOR: Span = Span::hours(24 * 365);

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseReport {
    /// When it was played.
    pub time: WallTime,
    /// The routes that the alert takes, in order.
    pub routes: Vec<RouteReport>,
    /// What is not as expected, in words; none when all is.
    pub failures: Vec<String>,
}

/// What one route does with the alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteReport {
    /// Who is told.
    pub receiver: String,
    /// The matchers from the root down.
    pub route: String,
    /// The labels that the group's alerts share.
    pub group_labels: Labels,
    /// Whether the receiver hears of the alert.
    pub hears: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// Whether a rule inhibits the alert.
    pub inhibited: bool,
    /// Whether silences hold.
    pub silenced: bool,
    /// The time intervals that mute the route, or outside of which it is silent.
    pub muted: Vec<String>,
    /// How many integrations the receiver has.
    pub integrations: usize,
}

/// Plays a case. An error says why it cannot be played.
pub fn play(config: &AlertmanagerConfig, case: &Case) -> Result<CaseReport, String> {
    if case.time.is_none() && !config.time_intervals.is_empty() {
        return Err("a case needs a time, because there are time intervals".to_owned());
    }
    let now = case.time.unwrap_or(SOME_TIME);
    let router_config = config.router();
    let integrations: BTreeMap<String, usize> = router_config
        .receivers
        .iter()
        .map(|receiver| (receiver.name.clone(), receiver.integrations.len()))
        .collect();
    let router = set_up(router_config, case, now)?;
    let tree = &router.config().tree;
    let mut routes: Vec<RouteReport> = tree
        .matches(&case.labels)
        .into_iter()
        .filter_map(|at| tree.get(at))
        .map(|route| RouteReport {
            receiver: route.receiver.clone(),
            route: route.key.clone(),
            group_labels: route.group_by.group_labels(&case.labels),
            hears: true,
            reasons: Vec::new(),
            inhibited: false,
            silenced: false,
            muted: Vec::new(),
            integrations: integrations.get(&route.receiver).copied().unwrap_or(0),
        })
        .collect();
    for decision in router.decisions().about(case.labels.fingerprint()) {
        let of_group = routes.iter_mut().filter(|route| {
            let labels = crate::alerting::label_set_text(&route.group_labels);
            *decision.place.receiver == *route.receiver
                && *decision.place.group_key == format!("{}:{labels}", route.route)
        });
        for route in of_group {
            match &*decision.verdict {
                Stage::Inhibited { .. } => route.inhibited = true,
                Stage::Silenced(_) => route.silenced = true,
                Stage::Inactive(names) | Stage::Muted(names) => route.muted.clone_from(names),
                _ => continue,
            }
            route.hears = false;
            route.reasons.push(decision.verdict.to_string());
        }
    }
    let failures = compare(case, &routes);
    Ok(CaseReport {
        time: now,
        routes,
        failures,
    })
}

/// A router that has flushed the groups of the case's alerts.
fn set_up(config: RouterConfig, case: &Case, now: WallTime) -> Result<Router, String> {
    let disk = Arc::new(MemoryDisk::new());
    let options = RouterOptions::default();
    let mut router = Router::open(disk, "router", options, config, now - FIRED_FOR)
        .map_err(|error| error.to_string())?;
    for silence in &case.silences {
        let starts_at = silence.starts_at.unwrap_or(now - Span::minutes(1));
        let silence = Silence {
            id: String::new(),
            matcher_sets: vec![silence.matchers.clone()],
            starts_at,
            ends_at: silence
                .ends_at
                .unwrap_or_else(|| now.max(starts_at) + Span::hours(1)),
            updated_at: WallTime::ZERO,
            created_by: silence.created_by.clone(),
            comment: silence.comment.clone(),
            annotations: BTreeMap::new(),
        };
        router
            .set_silence(starts_at.min(now), silence)
            .map_err(|error| error.to_string())?;
    }
    let alerts = case.active.iter().chain([&case.labels]);
    let alerts = alerts
        .map(|labels| Alert {
            labels: labels.clone(),
            annotations: Labels::empty(),
            starts_at: now - FIRED_FOR,
            ends_at: now + Span::hours(1),
            updated_at: now,
            generator_url: "".into(),
            timeout: false,
        })
        .collect();
    if let Some(error) = router.on_alerts(now, alerts).first() {
        return Err(error.to_string());
    }
    while router.poll(now).is_some() {}
    Ok(router)
}

fn compare(case: &Case, routes: &[RouteReport]) -> Vec<String> {
    let mut failures = Vec::new();
    let mut texts = |what: &str, expected: &Option<Vec<String>>, found: Vec<String>| {
        if let Some(expected) = expected
            && *expected != found
        {
            let (expected, found) = (expected.join(", "), found.join(", "));
            failures.push(format!("{what}: expected [{expected}], got [{found}]"));
        }
    };
    let receivers = |wanted: fn(&RouteReport) -> bool| -> Vec<String> {
        let routes = routes.iter().filter(|route| wanted(route));
        routes.map(|route| route.receiver.clone()).collect()
    };
    let expect = &case.expect;
    texts("receivers", &expect.receivers, receivers(|_| true));
    texts("notified", &expect.notified, receivers(|route| route.hears));
    let mut muted: Vec<String> = routes.iter().flat_map(|r| r.muted.clone()).collect();
    muted.sort_unstable();
    muted.dedup();
    let mut expected_muted = expect.muted.clone();
    if let Some(names) = &mut expected_muted {
        names.sort_unstable();
    }
    texts("muted", &expected_muted, muted);
    for (what, expected, found) in [
        (
            "inhibited",
            expect.inhibited,
            routes.iter().any(|r| r.inhibited),
        ),
        (
            "silenced",
            expect.silenced,
            routes.iter().any(|r| r.silenced),
        ),
    ] {
        if expected.is_some_and(|expected| expected != found) {
            failures.push(format!("{what}: expected {}, got {found}", !found));
        }
    }
    for group in &expect.groups {
        let mut own = routes.iter().filter(|r| r.receiver == group.receiver);
        if own.clone().any(|route| route.group_labels == group.labels) {
            continue;
        }
        let mut text = format!("group of {}: expected {}", group.receiver, group.labels);
        let _ = match own.next() {
            Some(route) => write!(text, ", got {}", route.group_labels),
            None => write!(text, ", but no route leads there"),
        };
        failures.push(text);
    }
    failures
}

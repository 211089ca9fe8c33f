//! The numbers that Alertmanager shows of itself.

use md5::{Digest as _, Md5};

use super::Loaded;
use crate::alerting::SilenceState;
use crate::alerting::router::{Counts, Suppressed};
use crate::daemon::Clock;
use crate::http::api_v2::Handle;
use crate::http::metrics::{Page, Registry};

/// Shows the router's numbers from now on.
pub(super) fn register(metrics: &Registry, handle: &Handle, clock: Clock) {
    let handle = handle.clone();
    metrics.collector(move |page| collect(page, &handle, clock));
}

fn collect(page: &mut Page, handle: &Handle, clock: Clock) {
    let now = clock.now();
    let (stats, silences) = handle.with(|router| {
        let mut by_state = [0_u32; 3];
        for silence in router.silences().iter() {
            let at = match silence.state(now) {
                SilenceState::Active => 0,
                SilenceState::Pending => 1,
                SilenceState::Expired => 2,
            };
            by_state[at] += 1;
        }
        (router.stats(now), by_state)
    });
    for (state, count) in [
        ("active", stats.active_alerts),
        ("suppressed", stats.suppressed_alerts),
        // Every alert is looked at as it comes in.
        ("unprocessed", 0),
    ] {
        page.gauge(
            "alertmanager_alerts",
            "How many alerts by state.",
            &[("state", state)],
            count as f64,
        );
    }
    let counts = stats.counts;
    for (status, count) in [
        ("firing", counts.firing_received),
        ("resolved", counts.resolved_received),
    ] {
        page.counter(
            "alertmanager_alerts_received_total",
            "The total number of received alerts.",
            &[("status", status), ("version", "v2")],
            count as f64,
        );
    }
    left_out(page, &counts);
    for (state, count) in ["active", "pending", "expired"].into_iter().zip(silences) {
        page.gauge(
            "alertmanager_silences",
            "How many silences by state.",
            &[("state", state)],
            f64::from(count),
        );
    }
    for (name, help, value) in [
        (
            "alertmanager_dispatcher_aggregation_groups",
            "Number of active aggregation groups",
            stats.groups as f64,
        ),
        (
            "watchfire_router_log_entries",
            "Entries of the notification log.",
            stats.log_entries as f64,
        ),
        (
            "watchfire_router_open_deliveries",
            "Notifications that are on their way or wait for another attempt.",
            stats.open_deliveries as f64,
        ),
        (
            "watchfire_router_journal_bytes",
            "Bytes of the router's journal.",
            stats.journal_bytes as f64,
        ),
        (
            "watchfire_router_journal_healthy",
            "Whether changes of the router's state reach the disk.",
            f64::from(u8::from(stats.journal_healthy)),
        ),
    ] {
        page.gauge(name, help, &[], value);
    }
    for (name, help, value) in [
        (
            "alertmanager_dispatcher_aggregation_group_limit_reached_total",
            "Number of times when dispatcher failed to create new aggregation group due to limit.",
            counts.groups_refused,
        ),
        (
            "watchfire_router_journal_failures_total",
            "Failed writes of the router's journal.",
            stats.journal_failures,
        ),
    ] {
        page.counter(name, help, &[], value as f64);
    }
    suppressions(page, counts.suppressed);
}

/// Alerts that came in and were not kept.
fn left_out(page: &mut Page, counts: &Counts) {
    page.counter(
        "alertmanager_alerts_invalid_total",
        "The total number of received alerts that were invalid.",
        &[("version", "v2")],
        counts.invalid as f64,
    );
    page.counter(
        "alertmanager_alerts_limited_total",
        "Total number of alerts that were dropped because there are too many of their name.",
        &[],
        counts.limited as f64,
    );
}

fn suppressions(page: &mut Page, suppressed: Suppressed) {
    for (reason, count) in [
        ("active_time_interval", suppressed.inactive),
        ("inhibition", suppressed.inhibited),
        ("mute_time_interval", suppressed.muted),
        ("silence", suppressed.silenced),
    ] {
        page.counter(
            "alertmanager_notifications_suppressed_total",
            "The total number of notifications suppressed for being silenced, inhibited, outside of active time intervals or within muted time intervals.",
            &[("reason", reason)],
            count as f64,
        );
    }
}

/// Shows what configuration is in force.
pub(super) fn loaded(metrics: &Registry, loaded: &Loaded) {
    let config = &loaded.config;
    let integrations: usize = config.receivers.iter().map(|r| r.integrations.len()).sum();
    for (name, help, value) in [
        (
            "alertmanager_config_hash",
            "Hash of the currently loaded alertmanager configuration. Note that this is not a cryptographically strong hash.",
            loaded.hash,
        ),
        (
            "alertmanager_receivers",
            "Number of configured receivers.",
            config.receivers.len() as f64,
        ),
        (
            "alertmanager_integrations",
            "Number of configured integrations.",
            integrations as f64,
        ),
        (
            "alertmanager_inhibition_rules",
            "Number of configured inhibition rules.",
            config.inhibit_rules.len() as f64,
        ),
    ] {
        metrics.gauge(name, help).set(value);
    }
}

/// compat: the first six bytes of the MD5 digest as a number that a float holds exactly.
pub(super) fn hash(bytes: &[u8]) -> f64 {
    let digest = Md5::digest(bytes);
    let number = digest
        .iter()
        .take(6)
        .rev()
        .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_router_file_is_upstreams() {
        // What Alertmanager 0.33.1 shows for this file.
        let file = b"route: {receiver: a, group_by: [alertname], group_wait: 0s}\nreceivers: [{name: a, webhook_configs: [{url: 'http://127.0.0.1:1/'}]}]\n";
        assert_eq!(hash(file), 37_804_457_505_149.0);
    }
}

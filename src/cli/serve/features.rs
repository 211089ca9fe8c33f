//! Every name of `--enable-feature` of `prometheus` 3.14 and `alertmanager` 0.34, and what becomes of it.

use super::flags::Stance;
use crate::text::suggest;

use Stance::{Ignored, Refused, Works};

const ALWAYS: Stance = Ignored("it is always on");
const NO_OTLP: Stance = Ignored("OTLP is not part of watchfire yet");
const NO_GO: Stance = Ignored("there is no Go runtime here");
const OWN_STORE: Stance = Ignored("the store has its own layout and decides this itself");

/// The table, sorted by name.
const FEATURES: &[(&str, Stance)] = &[
    (
        "agent",
        Refused("agent mode is not part of watchfire yet; run a remote-write capable agent"),
    ),
    (
        "alert-names-in-metrics",
        Ignored("metrics do not name alerts"),
    ),
    ("auto-gomaxprocs", NO_GO),
    ("auto-gomemlimit", NO_GO),
    ("auto-reload-config", Works),
    ("classic-mode", Works),
    (
        "concurrent-rule-eval",
        Ignored("groups run side by side, the rules of one in order"),
    ),
    ("created-timestamp-zero-ingestion", Works),
    ("delayed-compaction", OWN_STORE),
    (
        "event-recorder",
        Ignored("decisions are always recorded: /api/watchfire/v1/decisions"),
    ),
    ("exemplar-storage", Works),
    ("expand-external-labels", ALWAYS),
    ("extra-scrape-metrics", Works),
    ("fast-startup", OWN_STORE),
    (
        "group-key-in-metrics",
        Ignored("metrics do not name groups"),
    ),
    ("memory-snapshot-on-shutdown", OWN_STORE),
    ("metadata-wal-records", Works),
    (
        "muted-alerts-in-nflog",
        Ignored("0.34 notes muted alerts and does nothing with the notes"),
    ),
    (
        "native-histograms",
        Ignored("set scrape_native_histograms in the configuration file"),
    ),
    ("new-service-discovery-manager", ALWAYS),
    ("no-default-scrape-port", ALWAYS),
    ("old-ui", Ignored("the page is our own")),
    ("ooo-native-histograms", ALWAYS),
    ("otlp-deltatocumulative", NO_OTLP),
    ("otlp-native-delta-ingestion", NO_OTLP),
    ("otlp-write-receiver", NO_OTLP),
    ("promql-at-modifier", ALWAYS),
    ("promql-binop-fill-modifiers", Works),
    ("promql-delayed-name-removal", Works),
    ("promql-duration-expr", ALWAYS),
    ("promql-experimental-functions", Works),
    ("promql-extended-range-selectors", Works),
    ("promql-negative-offset", ALWAYS),
    (
        "promql-per-step-stats",
        Ignored("statistics have no values per step"),
    ),
    ("receiver-name-in-metrics", Works),
    (
        "remote-write-receiver",
        Ignored("use --web.enable-remote-write-receiver"),
    ),
    ("st-storage", Works),
    ("type-and-unit-labels", Works),
    ("use-start-timestamps", Works),
    ("use-uncached-io", OWN_STORE),
    ("utf8-names", ALWAYS),
    ("utf8-strict-mode", Works),
    ("xor2-encoding", OWN_STORE),
];

/// What becomes of a feature; none for a name that nobody knows.
pub(super) fn stance(name: &str) -> Option<Stance> {
    let at = FEATURES
        .binary_search_by(|(known, _)| (*known).cmp(name))
        .ok()?;
    FEATURES.get(at).map(|(_, stance)| *stance)
}

/// The known name that an unknown one was probably meant to be.
pub(super) fn meant(name: &str) -> Option<&'static str> {
    suggest::closest(name, FEATURES.iter().map(|(known, _)| *known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_feature_found() {
        assert!(FEATURES.is_sorted_by(|a, b| a.0 < b.0));
        for (name, known) in FEATURES {
            assert_eq!(stance(name), Some(*known), "{name}");
        }
        assert_eq!(stance("exemplar-storag"), None);
        assert_eq!(meant("exemplar-storag"), Some("exemplar-storage"));
    }
}

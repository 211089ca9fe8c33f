//! Every flag of `prometheus` 3.14 and `alertmanager` 0.34, and what becomes of it here.

use std::collections::BTreeMap;

use clap::{Arg, ArgAction, ArgMatches, Command};

/// What a flag takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// Nothing, `=true` or `=false`; `--no-NAME` switches it off.
    Switch,
    /// One value.
    Value,
    /// A value each time it is given.
    Values,
}

/// What becomes of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stance {
    /// It does what it does upstream.
    Works,
    /// It is taken and has no effect, for this reason; said once when it is given.
    Ignored(&'static str),
    /// It ends the program with this hint.
    Refused(&'static str),
}

/// One flag.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flag {
    pub(super) name: &'static str,
    pub(super) takes: Takes,
    /// The value when it is not given.
    pub(super) default: &'static str,
    pub(super) help: &'static str,
    pub(super) stance: Stance,
}

const fn works(
    name: &'static str,
    takes: Takes,
    default: &'static str,
    help: &'static str,
) -> Flag {
    Flag {
        name,
        takes,
        default,
        help,
        stance: Stance::Works,
    }
}

const fn ignored(
    name: &'static str,
    takes: Takes,
    default: &'static str,
    why: &'static str,
) -> Flag {
    Flag {
        name,
        takes,
        default,
        help: why,
        stance: Stance::Ignored(why),
    }
}

const fn refused(name: &'static str, takes: Takes, hint: &'static str) -> Flag {
    Flag {
        name,
        takes,
        default: "",
        help: hint,
        stance: Stance::Refused(hint),
    }
}

use Takes::{Switch, Value, Values};

const NO_AGENT: &str =
    "agent mode is not part of watchfire yet; run serve with a remote-write capable agent in front";
const AGENT_ONLY: &str = "it concerns agent mode alone";
const NO_GO: &str = "there is no Go runtime here";
const NO_CONSOLES: &str = "console templates are not part of watchfire";
const NO_READ: &str = "remote read is not part of watchfire";
const STORE_DECIDES: &str = "the store has its own layout and decides this itself";
const NO_CLUSTER: &str =
    "instances do not gossip: run one, or let two notify an Alertmanager that removes duplicates";

/// The table. Where both programs have a flag it stands once.
pub(super) const FLAGS: &[Flag] = &[
    works(
        "config.file",
        Value,
        "",
        "prometheus.yml: what is scraped and which rules run",
    ),
    works(
        "alertmanager.config.file",
        Value,
        "",
        "alertmanager.yml: who hears of alerts (the built-in router)",
    ),
    works(
        "watchfire.config.file",
        Value,
        "",
        "watchfire.yml: our own keys, such as sinks for tests",
    ),
    works(
        "config.auto-reload-interval",
        Value,
        "30s",
        "How often files are looked at with --enable-feature=auto-reload-config",
    ),
    works(
        "web.listen-address",
        Values,
        "0.0.0.0:9090",
        "Address to listen on; may be given more than once",
    ),
    works(
        "web.config.file",
        Value,
        "",
        "File with TLS and passwords of our own listeners",
    ),
    works(
        "web.read-timeout",
        Value,
        "5m",
        "Longest time that a request may take to arrive, and that a connection may be idle",
    ),
    works(
        "web.max-connections",
        Value,
        "512",
        "Most connections at once over all listeners",
    ),
    works(
        "web.external-url",
        Value,
        "",
        "The address under which others reach us, for links",
    ),
    works(
        "web.route-prefix",
        Value,
        "",
        "Prefix of our paths; default the path of --web.external-url",
    ),
    works(
        "web.enable-lifecycle",
        Switch,
        "false",
        "Allow POST /-/reload and /-/quit",
    ),
    works(
        "web.enable-remote-write-receiver",
        Switch,
        "false",
        "Accept samples at /api/v1/write",
    ),
    works(
        "web.enable-admin-api",
        Switch,
        "false",
        "Allow deletions through /api/v1/admin/tsdb",
    ),
    works(
        "web.cors.origin",
        Value,
        ".*",
        "Origins that browsers may ask from, an anchored regular expression",
    ),
    works("storage.tsdb.path", Value, "data/", "Folder of the samples"),
    works(
        "storage.tsdb.retention.time",
        Value,
        "",
        "How long samples are kept; default 15d",
    ),
    works(
        "storage.path",
        Value,
        "",
        "Folder of alerts, silences and the notification log; default: beside the samples",
    ),
    works(
        "data.retention",
        Value,
        "120h",
        "How long silences and the notification log are kept",
    ),
    works(
        "alerts.gc-interval",
        Value,
        "30m",
        "How often ended alerts, expired silences and old log entries are cleared away",
    ),
    works(
        "rules.alert.for-outage-tolerance",
        Value,
        "1h",
        "Longest outage after which `for` timers continue",
    ),
    works(
        "rules.alert.for-grace-period",
        Value,
        "10m",
        "Shortest wait of a continued `for` timer",
    ),
    works(
        "rules.alert.resend-delay",
        Value,
        "1m",
        "Shortest time between two messages of the same alert to the router",
    ),
    works(
        "rules.max-concurrent-evals",
        Value,
        "4",
        "Most rule groups that are evaluated at once",
    ),
    works(
        "alertmanager.notification-queue-capacity",
        Value,
        "10000",
        "Most alerts that wait for external Alertmanagers",
    ),
    works(
        "alertmanager.notification-batch-size",
        Value,
        "256",
        "Most alerts in one request to an external Alertmanager",
    ),
    works(
        "alertmanager.drain-notification-queue-on-shutdown",
        Switch,
        "true",
        "Send waiting alerts before the end",
    ),
    works(
        "query.lookback-delta",
        Value,
        "5m",
        "How far back an instant looks for a sample",
    ),
    works("query.timeout", Value, "2m", "Longest time of a query"),
    works("query.max-concurrency", Value, "20", "Most queries at once"),
    works(
        "query.max-samples",
        Value,
        "50000000",
        "Most samples that a query holds at once",
    ),
    works(
        "enable-feature",
        Values,
        "",
        "Features to switch on, separated by commas",
    ),
    works("log.level", Value, "info", "debug, info, warn or error"),
    works("log.format", Value, "logfmt", "logfmt or json"),
    works(
        "memory.limit",
        Value,
        "",
        "Anonymous memory beyond which caches, then queries, then new series are shed: a size as 2GB, a share of the container's or machine's memory as 80%, or 0 for none; default 70% of the container's limit",
    ),
    works(
        "storage.tsdb.retention.size",
        Value,
        "0",
        "Size of the stored samples beyond which the oldest go, as 50GB; 0 for no limit",
    ),
    works(
        "storage.tsdb.retention.percentage",
        Value,
        "0",
        "Share of the disk beyond which the oldest samples go, in percent; 0 for no limit",
    ),
    ignored(
        "storage.tsdb.no-lockfile",
        Switch,
        "false",
        "the folder is always locked, by the kernel, so no stale lock can stay behind",
    ),
    ignored(
        "storage.tsdb.head-chunks-write-queue-size",
        Value,
        "0",
        STORE_DECIDES,
    ),
    ignored(
        "storage.tsdb.min-block-duration",
        Value,
        "2h",
        STORE_DECIDES,
    ),
    ignored("storage.tsdb.max-block-duration", Value, "", STORE_DECIDES),
    ignored(
        "storage.tsdb.max-block-chunk-segment-size",
        Value,
        "0B",
        STORE_DECIDES,
    ),
    ignored("storage.tsdb.wal-segment-size", Value, "0B", STORE_DECIDES),
    ignored(
        "storage.tsdb.wal-compression",
        Switch,
        "true",
        STORE_DECIDES,
    ),
    ignored(
        "storage.tsdb.wal-compression-type",
        Value,
        "snappy",
        STORE_DECIDES,
    ),
    ignored(
        "storage.tsdb.allow-overlapping-blocks",
        Switch,
        "true",
        STORE_DECIDES,
    ),
    ignored(
        "storage.tsdb.allow-overlapping-compaction",
        Switch,
        "true",
        STORE_DECIDES,
    ),
    ignored(
        "storage.tsdb.samples-per-chunk",
        Value,
        "120",
        STORE_DECIDES,
    ),
    ignored(
        "storage.tsdb.delayed-compaction.max-percent",
        Value,
        "10",
        STORE_DECIDES,
    ),
    ignored(
        "storage.tsdb.delay-compact-file.path",
        Value,
        "",
        STORE_DECIDES,
    ),
    ignored(
        "storage.tsdb.block-reload-interval",
        Value,
        "1m",
        STORE_DECIDES,
    ),
    ignored(
        "storage.tsdb.retention",
        Value,
        "",
        "it was removed upstream; use --storage.tsdb.retention.time",
    ),
    Flag {
        default: "false",
        ..refused("agent", Switch, NO_AGENT)
    },
    ignored("storage.agent.path", Value, "data-agent/", AGENT_ONLY),
    ignored("storage.agent.wal-compression", Switch, "true", AGENT_ONLY),
    ignored(
        "storage.agent.wal-compression-type",
        Value,
        "snappy",
        AGENT_ONLY,
    ),
    ignored("storage.agent.wal-segment-size", Value, "0B", AGENT_ONLY),
    ignored(
        "storage.agent.wal-truncate-frequency",
        Value,
        "0s",
        AGENT_ONLY,
    ),
    ignored("storage.agent.retention.min-time", Value, "0s", AGENT_ONLY),
    ignored("storage.agent.retention.max-time", Value, "0s", AGENT_ONLY),
    ignored("storage.agent.no-lockfile", Switch, "false", AGENT_ONLY),
    ignored(
        "storage.remote.flush-deadline",
        Value,
        "1m",
        "remote write out is not part of watchfire yet",
    ),
    ignored(
        "storage.remote.read-sample-limit",
        Value,
        "50000000",
        NO_READ,
    ),
    ignored("storage.remote.read-concurrent-limit", Value, "10", NO_READ),
    ignored(
        "storage.remote.read-max-bytes-in-frame",
        Value,
        "1048576",
        NO_READ,
    ),
    ignored(
        "scrape.adjust-timestamps",
        Switch,
        "true",
        "timestamps are always the scrape's own",
    ),
    ignored(
        "scrape.timestamp-tolerance",
        Value,
        "2ms",
        "timestamps are always the scrape's own",
    ),
    ignored(
        "scrape.discovery-reload-interval",
        Value,
        "5s",
        "targets change as soon as they are discovered",
    ),
    ignored(
        "scrape.name-escaping-scheme",
        Value,
        "values",
        "it was removed upstream; see metric_name_escaping_scheme",
    ),
    ignored("auto-gomaxprocs", Switch, "true", NO_GO),
    ignored("auto-gomemlimit", Switch, "true", NO_GO),
    ignored("auto-gomemlimit.ratio", Value, "0.9", NO_GO),
    ignored(
        "web.enable-otlp-receiver",
        Switch,
        "false",
        "OTLP is not part of watchfire yet",
    ),
    ignored(
        "web.remote-write-receiver.accepted-protobuf-messages",
        Values,
        "prometheus.WriteRequest,io.prometheus.write.v2.Request",
        "remote write 1.0 and 2.0 are both spoken",
    ),
    works(
        "web.max-notifications-subscribers",
        Value,
        "16",
        "Most clients of /api/v1/notifications/live at once",
    ),
    ignored("web.console.templates", Value, "consoles", NO_CONSOLES),
    ignored(
        "web.console.libraries",
        Value,
        "console_libraries",
        NO_CONSOLES,
    ),
    ignored("web.user-assets", Value, "", NO_CONSOLES),
    ignored("web.local-assets", Value, "", NO_CONSOLES),
    ignored(
        "web.page-title",
        Value,
        "Prometheus Time Series Collection and Processing Server",
        "the page has its own title",
    ),
    ignored(
        "web.systemd-socket",
        Switch,
        "false",
        "sockets are not taken over from systemd; use --web.listen-address",
    ),
    ignored(
        "web.get-concurrency",
        Value,
        "0",
        "--web.max-connections and --query.max-concurrency bound the work",
    ),
    ignored(
        "web.timeout",
        Value,
        "0",
        "--query.timeout bounds the time of queries",
    ),
    ignored("web.ui-path", Value, "", NO_CONSOLES),
    ignored(
        "data.maintenance-interval",
        Value,
        "15m",
        "state is written as it changes",
    ),
    works(
        "silences.max-silences",
        Value,
        "0",
        "Silences there may be, expired ones included; 0 for no limit",
    ),
    works(
        "silences.max-silence-size-bytes",
        Value,
        "0",
        "Bytes that a silence may take; 0 for no limit",
    ),
    works(
        "alerts.per-alertname-limit",
        Value,
        "0",
        "Alerts of one alertname that are kept at once; 0 for no limit",
    ),
    ignored(
        "dispatch.maintenance-interval",
        Value,
        "30s",
        "groups end as soon as they are empty",
    ),
    ignored(
        "dispatch.start-delay",
        Value,
        "0s",
        "the state is read before the first notification",
    ),
    ignored(
        "log.silences",
        Switch,
        "false",
        "changes of silences are always in the log",
    ),
    ignored("cluster.listen-address", Value, "", NO_CLUSTER),
    ignored("cluster.advertise-address", Value, "", NO_CLUSTER),
    ignored("cluster.peer-name", Value, "", NO_CLUSTER),
    ignored("cluster.peer", Values, "", NO_CLUSTER),
    ignored("cluster.peer-timeout", Value, "15s", NO_CLUSTER),
    ignored("cluster.peers-resolve-timeout", Value, "15s", NO_CLUSTER),
    ignored("cluster.gossip-interval", Value, "200ms", NO_CLUSTER),
    ignored("cluster.pushpull-interval", Value, "1m", NO_CLUSTER),
    ignored("cluster.tcp-timeout", Value, "10s", NO_CLUSTER),
    ignored("cluster.probe-timeout", Value, "500ms", NO_CLUSTER),
    ignored("cluster.probe-interval", Value, "1s", NO_CLUSTER),
    ignored("cluster.settle-timeout", Value, "1m", NO_CLUSTER),
    ignored("cluster.reconnect-interval", Value, "10s", NO_CLUSTER),
    ignored("cluster.reconnect-timeout", Value, "6h", NO_CLUSTER),
    ignored("cluster.tls-config", Value, "", NO_CLUSTER),
    ignored(
        "cluster.allow-insecure-public-advertise-address-discovery",
        Switch,
        "false",
        NO_CLUSTER,
    ),
    ignored("cluster.label", Value, "", NO_CLUSTER),
];

/// Adds the table to a command.
pub(super) fn add(mut command: Command) -> Command {
    for flag in FLAGS {
        let mut arg = Arg::new(flag.name)
            .long(flag.name)
            .help(flag.help)
            .hide(flag.stance != Stance::Works);
        arg = match flag.takes {
            Switch => arg
                .num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
                .value_parser(["true", "false"])
                .hide_possible_values(true)
                .value_name("true|false"),
            Value => arg.value_name("VALUE"),
            Values => arg.value_name("VALUE").action(ArgAction::Append),
        };
        command = command.arg(arg);
        if flag.takes == Switch {
            command = command.arg(
                Arg::new(format!("no-{}", flag.name))
                    .long(format!("no-{}", flag.name))
                    .action(ArgAction::SetTrue)
                    .hide(true),
            );
        }
    }
    command
}

/// Values by name, defaults filled in.
#[derive(Debug, Clone)]
pub(super) struct Given {
    values: BTreeMap<&'static str, Vec<String>>,
    /// Names that the user wrote.
    explicit: Vec<&'static str>,
}

impl Given {
    pub(super) fn read(matches: &ArgMatches) -> Self {
        let mut values = BTreeMap::new();
        let mut explicit = Vec::new();
        for flag in FLAGS {
            let off = flag.takes == Switch && matches.get_flag(&format!("no-{}", flag.name));
            let given: Vec<String> = if off {
                vec!["false".to_owned()]
            } else {
                matches
                    .get_many::<String>(flag.name)
                    .into_iter()
                    .flatten()
                    .cloned()
                    .collect()
            };
            if given.is_empty() {
                values.insert(flag.name, vec![flag.default.to_owned()]);
            } else {
                explicit.push(flag.name);
                values.insert(flag.name, given);
            }
        }
        Self { values, explicit }
    }

    /// The value of a flag that takes one.
    pub(super) fn text(&self, name: &str) -> &str {
        self.values
            .get(name)
            .and_then(|values| values.last())
            .map_or("", String::as_str)
    }

    /// All values, those with commas split.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.values
            .get(name)
            .into_iter()
            .flatten()
            .flat_map(|v| v.split(','))
            .map(|v| v.trim().to_owned())
            .filter(|v| !v.is_empty())
            .collect()
    }

    pub(super) fn switch(&self, name: &str) -> bool {
        self.text(name) == "true"
    }

    /// Whether the user wrote the flag.
    pub(super) fn is_explicit(&self, name: &str) -> bool {
        self.explicit.contains(&name)
    }

    /// The flags that the user wrote.
    pub(super) fn explicit(&self) -> impl Iterator<Item = &'static Flag> {
        FLAGS
            .iter()
            .filter(|flag| self.explicit.contains(&flag.name))
    }

    /// What `/api/v1/status/flags` shows.
    pub(super) fn shown(&self) -> BTreeMap<String, String> {
        self.values
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.join(",")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(args: &[&str]) -> Given {
        let command = add(Command::new("serve").no_binary_name(true));
        Given::read(&command.try_get_matches_from(args).expect("valid flags"))
    }

    #[test]
    fn names_stand_once() {
        let mut names: Vec<&str> = FLAGS.iter().map(|f| f.name).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn switches_take_all_of_kingpins_forms() {
        assert!(given(&["--web.enable-lifecycle"]).switch("web.enable-lifecycle"));
        assert!(given(&["--web.enable-lifecycle=true"]).switch("web.enable-lifecycle"));
        assert!(!given(&["--no-web.enable-lifecycle"]).switch("web.enable-lifecycle"));
        assert!(!given(&[]).switch("web.enable-lifecycle"));
        let drain = "alertmanager.drain-notification-queue-on-shutdown";
        assert!(given(&[]).switch(drain));
    }

    #[test]
    fn repeated_values_add_up() {
        let flags = given(&["--enable-feature=a,b", "--enable-feature", "c"]);
        assert_eq!(flags.list("enable-feature"), ["a", "b", "c"]);
        let listen = given(&["--web.listen-address=:1", "--web.listen-address=:2"]);
        assert_eq!(listen.list("web.listen-address"), [":1", ":2"]);
    }

    /// `prometheus --help-long` of 3.5.3 with the hidden ones of its source, and what came until 3.14.
    const PROMETHEUS: &str = "
        config.file config.auto-reload-interval web.listen-address auto-gomaxprocs auto-gomemlimit
        auto-gomemlimit.ratio web.config.file web.read-timeout web.max-connections
        web.max-notifications-subscribers web.external-url web.route-prefix web.user-assets
        web.local-assets web.enable-lifecycle web.enable-admin-api web.enable-remote-write-receiver
        web.remote-write-receiver.accepted-protobuf-messages web.enable-otlp-receiver
        web.console.templates web.console.libraries web.page-title web.cors.origin
        storage.tsdb.path storage.tsdb.min-block-duration storage.tsdb.max-block-duration
        storage.tsdb.max-block-chunk-segment-size storage.tsdb.wal-segment-size storage.tsdb.retention
        storage.tsdb.retention.time storage.tsdb.retention.size storage.tsdb.retention.percentage
        storage.tsdb.no-lockfile storage.tsdb.allow-overlapping-blocks
        storage.tsdb.allow-overlapping-compaction storage.tsdb.wal-compression
        storage.tsdb.wal-compression-type storage.tsdb.head-chunks-write-queue-size
        storage.tsdb.samples-per-chunk storage.tsdb.delayed-compaction.max-percent
        storage.tsdb.delay-compact-file.path storage.tsdb.block-reload-interval
        storage.agent.path storage.agent.wal-segment-size storage.agent.wal-compression
        storage.agent.wal-compression-type storage.agent.wal-truncate-frequency
        storage.agent.retention.min-time storage.agent.retention.max-time storage.agent.no-lockfile
        storage.remote.flush-deadline storage.remote.read-sample-limit
        storage.remote.read-concurrent-limit storage.remote.read-max-bytes-in-frame
        rules.alert.for-outage-tolerance rules.alert.for-grace-period rules.alert.resend-delay
        rules.max-concurrent-evals scrape.adjust-timestamps scrape.timestamp-tolerance
        scrape.discovery-reload-interval scrape.name-escaping-scheme
        alertmanager.notification-queue-capacity alertmanager.notification-batch-size
        alertmanager.drain-notification-queue-on-shutdown query.lookback-delta query.timeout
        query.max-concurrency query.max-samples enable-feature agent log.level log.format
    ";

    /// `alertmanager --help-long` of 0.33.1; 0.34 has no other.
    const ALERTMANAGER: &str = "
        config.file storage.path data.retention data.maintenance-interval silences.max-silences
        silences.max-silence-size-bytes log.silences alerts.gc-interval alerts.per-alertname-limit
        dispatch.maintenance-interval dispatch.start-delay web.systemd-socket web.listen-address
        web.config.file web.external-url web.route-prefix web.get-concurrency web.timeout web.ui-path
        auto-gomemlimit.ratio cluster.listen-address cluster.advertise-address cluster.peer-name
        cluster.peer cluster.peer-timeout cluster.peers-resolve-timeout cluster.gossip-interval
        cluster.pushpull-interval cluster.tcp-timeout cluster.probe-timeout cluster.probe-interval
        cluster.settle-timeout cluster.reconnect-interval cluster.reconnect-timeout cluster.tls-config
        cluster.allow-insecure-public-advertise-address-discovery cluster.label enable-feature
        log.level log.format
    ";

    /// Ours beside them.
    const OURS: &str = "alertmanager.config.file watchfire.config.file memory.limit";

    #[test]
    fn every_flag_of_upstream_is_known_and_none_is_made_up() {
        let known: std::collections::BTreeSet<&str> = FLAGS.iter().map(|f| f.name).collect();
        let all: std::collections::BTreeSet<&str> = [PROMETHEUS, ALERTMANAGER, OURS]
            .iter()
            .flat_map(|list| list.split_whitespace())
            .collect();
        let missing: Vec<&&str> = all.difference(&known).collect();
        let made_up: Vec<&&str> = known.difference(&all).collect();
        assert!(
            missing.is_empty() && made_up.is_empty(),
            "{missing:?} {made_up:?}"
        );
    }

    #[test]
    fn every_flag_is_taken_in_its_form() {
        for flag in FLAGS {
            let args = match flag.takes {
                Switch => vec![format!("--no-{}", flag.name)],
                Value | Values => vec![format!("--{}=x", flag.name), format!("--{}", flag.name)],
            };
            let shown = match flag.takes {
                Switch => "false",
                Value | Values => "x",
            };
            for arg in args {
                let mut words = vec![arg.as_str()];
                if flag.takes != Switch && !arg.contains('=') {
                    words.push("x");
                }
                assert_eq!(given(&words).text(flag.name), shown, "{arg}");
            }
        }
    }
}

//! `watchfire serve`: the daemon.

mod built_in;
mod features;
mod flags;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{ArgMatches, Command};
use tokio::net::TcpListener;

use super::Error;
use crate::alerting::SilenceLimits;
use crate::config::parse_bytes;
use crate::daemon::{self, ConfigSource, MemoryLimit, Options};
use crate::http::params::parse_duration_ms;
use crate::time::Span;
use flags::{Given, Stance};

pub(super) fn command() -> Command {
    let command = Command::new("serve")
        .about("Scrapes, stores, evaluates rules and notifies, until it is told to stop")
        .long_about(
            "Scrapes, stores, evaluates rules and notifies, until it is told to stop.\n\n\
             Every flag of Prometheus and Alertmanager is known, so that the arguments of existing containers go on \
             working; those without effect here say so once. Without any *.config.file it scrapes itself, runs \
             essential.yaml and prometheus.yaml of alert-rules/ and shows notifications in its log.",
        )
        .after_help(
            "Examples:\n  watchfire serve\n  watchfire serve --config.file prometheus.yml --alertmanager.config.file alertmanager.yml",
        );
    flags::add(command)
}

pub(super) fn run(matches: &ArgMatches) -> Result<ExitCode, Error> {
    let given = Given::read(matches);
    daemon::log::init(level(&given)?, given.text("log.format") == "json");
    for flag in given.explicit() {
        match flag.stance {
            Stance::Works => {}
            Stance::Ignored(why) => {
                tracing::warn!(flag = %format!("--{}", flag.name), "flag has no effect: {why}");
            }
            Stance::Refused(hint) => {
                return Err(Error::new(format!("--{} cannot be used", flag.name))
                    .with_hint(hint)
                    .with_code(2));
            }
        }
    }
    check_features(&given)?;
    let options = options(&given)?;
    let addresses = given.list("web.listen-address");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Error::new(format!("cannot start the runtime: {e}")))?;
    runtime.block_on(async {
        let mut listeners = Vec::new();
        for address in &addresses {
            listeners.push(listen(address).await?);
        }
        daemon::run(options, listeners, terminated())
            .await
            .map_err(|e| refused(&e))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Says once what becomes of features that do nothing here.
fn check_features(given: &Given) -> Result<(), Error> {
    for name in given.list("enable-feature") {
        match features::stance(&name) {
            Some(Stance::Works) => {}
            Some(Stance::Ignored(why)) => {
                tracing::warn!(feature = name, "feature has no effect: {why}");
            }
            Some(Stance::Refused(hint)) => {
                return Err(
                    Error::new(format!("--enable-feature={name} cannot be used"))
                        .with_hint(hint)
                        .with_code(2),
                );
            }
            // compat: upstream goes on as well.
            None => {
                let meant = features::meant(&name)
                    .map(|meant| format!("; did you mean {meant}?"))
                    .unwrap_or_default();
                tracing::warn!(feature = name, "unknown feature{meant}");
            }
        }
    }
    let names = given.list("enable-feature");
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    if has("classic-mode") && has("utf8-strict-mode") {
        return Err(
            Error::new("cannot have both classic and UTF-8 modes enabled")
                .with_hint("leave both away: matchers are then read in both syntaxes")
                .with_code(2),
        );
    }
    Ok(())
}

/// Splits a text that ends in a hint.
fn refused(error: &daemon::Error) -> Error {
    let text = error.to_string();
    match text.split_once("\nhint: ") {
        Some((text, hint)) => Error::new(text).with_hint(hint),
        None => Error::new(text).with_hint(match error {
            daemon::Error::Storage(_) => {
                "is another process using the folder, and may this user write to it (--storage.tsdb.path)?"
            }
            _ => "watchfire check config FILE shows the place and more",
        }),
    }
}

fn level(given: &Given) -> Result<&str, Error> {
    let level = given.text("log.level");
    if matches!(level, "debug" | "info" | "warn" | "error") {
        return Ok(level);
    }
    Err(wrong("log.level", level, "debug, info, warn or error"))
}

/// A size in bytes; 0 for none.
fn size(given: &Given, flag: &str) -> Result<u64, Error> {
    let text = given.text(flag);
    let bytes = parse_bytes(text).ok().and_then(|n| u64::try_from(n).ok());
    bytes.ok_or_else(|| wrong(flag, text, "a size as 512MB or 50GB"))
}

/// A number from 0 to 100.
fn percentage(given: &Given, flag: &str) -> Result<f64, Error> {
    let text = given.text(flag);
    let share = text
        .parse()
        .ok()
        .filter(|share| (0.0..=100.0).contains(share));
    share.ok_or_else(|| wrong(flag, text, "a number from 0 to 100"))
}

fn memory_limit(text: &str) -> Result<MemoryLimit, Error> {
    let not_understood = || wrong("memory.limit", text, "a size as 2GB, a share as 80%, or 0");
    if text.is_empty() {
        return Ok(MemoryLimit::Default);
    }
    if let Some(share) = text.strip_suffix('%') {
        let share = share
            .parse()
            .ok()
            .filter(|share| (1.0..=100.0).contains(share));
        return share.map(MemoryLimit::Percent).ok_or_else(not_understood);
    }
    let bytes = parse_bytes(text).ok().and_then(|n| u64::try_from(n).ok());
    bytes.map(MemoryLimit::Bytes).ok_or_else(not_understood)
}

fn wrong(flag: &str, value: &str, wanted: &str) -> Error {
    Error::new(format!("--{flag}: {value:?} is not understood"))
        .with_hint(format!("give {wanted}"))
        .with_code(2)
}

/// Ends with SIGTERM or SIGINT.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    let (term, int) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    );
    match (term, int) {
        (Ok(mut term), Ok(mut int)) => {
            tokio::select! {
                _ = term.recv() => tracing::info!(signal = "SIGTERM", "received an OS signal"),
                _ = int.recv() => tracing::info!(signal = "SIGINT", "received an OS signal"),
            }
        }
        _ => std::future::pending().await,
    }
}

/// Listens on Go's forms of an address: `:9090` is every interface.
async fn listen(address: &str) -> Result<TcpListener, Error> {
    let failed = |e: &std::io::Error| {
        Error::new(format!("cannot listen on {address}: {e}"))
            .with_hint("is something else on this port? --web.listen-address chooses another")
    };
    let (host, port) = address
        .rsplit_once(':')
        .ok_or_else(|| wrong("web.listen-address", address, "an address as 0.0.0.0:9090"))?;
    let every_interface = host.is_empty();
    let full = if every_interface {
        format!("[::]:{port}")
    } else {
        address.to_owned()
    };
    match bind(&full).await {
        Err(_) if every_interface => bind(&format!("0.0.0.0:{port}")).await,
        outcome => outcome,
    }
    .map_err(|e| failed(&e))
}

async fn bind(address: &str) -> std::io::Result<TcpListener> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "no such host");
    let found: Vec<SocketAddr> = tokio::net::lookup_host(address).await?.collect();
    for address in found {
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn options(given: &Given) -> Result<Options, Error> {
    let span = |flag: &str| -> Result<Span, Error> {
        let text = given.text(flag);
        parse_duration_ms(text)
            .map(Span::from_ms)
            .map_err(|_| wrong(flag, text, "a duration as 30s, 5m or 15d"))
    };
    let number = |flag: &str| -> Result<usize, Error> {
        let text = given.text(flag);
        text.parse()
            .map_err(|_| wrong(flag, text, "a whole number"))
    };
    // compat: a negative limit is none, as 0 is.
    let limit = |flag: &str| -> Result<usize, Error> {
        let text = given.text(flag);
        let number: i64 = text
            .parse()
            .map_err(|_| wrong(flag, text, "a whole number"))?;
        Ok(usize::try_from(number).unwrap_or(0))
    };
    let file =
        |flag: &str| Some(PathBuf::from(given.text(flag))).filter(|p| !p.as_os_str().is_empty());
    let source = |flag: &str| file(flag).map_or(ConfigSource::None, ConfigSource::File);
    let features: std::collections::BTreeSet<String> =
        given.list("enable-feature").into_iter().collect();
    let watched =
        features.contains("auto-reload-config") || given.is_explicit("config.auto-reload-interval");
    let cors = given.text("web.cors.origin");
    if crate::text::regex::Regex::anchored(cors).is_err() {
        return Err(wrong("web.cors.origin", cors, "a regular expression"));
    }
    let storage_path = PathBuf::from(given.text("storage.tsdb.path"));
    let mut options = Options {
        config: source("config.file"),
        router: source("alertmanager.config.file"),
        watchfire: file("watchfire.config.file"),
        web_config_file: file("web.config.file"),
        alerting_path: Some(file("storage.path").unwrap_or_else(|| storage_path.clone())),
        storage_path: Some(storage_path),
        alerting_retention: span("data.retention")?,
        alerts_gc_interval: span("alerts.gc-interval")?,
        silence_limits: SilenceLimits {
            max_silences: limit("silences.max-silences")?,
            max_per_silence_bytes: limit("silences.max-silence-size-bytes")?,
        },
        alertname_limit: limit("alerts.per-alertname-limit")?,
        auto_reload: watched
            .then(|| span("config.auto-reload-interval"))
            .transpose()?,
        external_url: external_url(given.text("web.external-url"))?,
        route_prefix: Some(given.text("web.route-prefix").to_owned()).filter(|p| !p.is_empty()),
        enable_lifecycle: given.switch("web.enable-lifecycle"),
        enable_remote_write: given.switch("web.enable-remote-write-receiver"),
        enable_admin_api: given.switch("web.enable-admin-api"),
        cors_origin: cors.to_owned(),
        notice_subscribers: number("web.max-notifications-subscribers")?,
        read_timeout: span("web.read-timeout")?.to_std(),
        max_connections: number("web.max-connections")?,
        outage_tolerance: span("rules.alert.for-outage-tolerance")?,
        grace_period: span("rules.alert.for-grace-period")?,
        resend_delay: span("rules.alert.resend-delay")?,
        concurrent_evals: number("rules.max-concurrent-evals")?,
        queue_capacity: number("alertmanager.notification-queue-capacity")?,
        batch_size: number("alertmanager.notification-batch-size")?,
        drain_queue: given.switch("alertmanager.drain-notification-queue-on-shutdown"),
        lookback: span("query.lookback-delta")?,
        query_timeout: span("query.timeout")?.to_std(),
        query_concurrency: number("query.max-concurrency")?,
        query_max_samples: number("query.max-samples")?,
        features,
        flags: given.shown(),
        ..Options::default()
    };
    if !given.text("storage.tsdb.retention.time").is_empty() {
        options.retention = span("storage.tsdb.retention.time")?;
    }
    options.retention_size = size(given, "storage.tsdb.retention.size")?;
    options.retention_percentage = percentage(given, "storage.tsdb.retention.percentage")?;
    options.memory_limit = memory_limit(given.text("memory.limit"))?;
    let nothing_given = [
        "config.file",
        "alertmanager.config.file",
        "watchfire.config.file",
    ]
    .iter()
    .all(|flag| !given.is_explicit(flag));
    if nothing_given {
        let addresses = given.list("web.listen-address");
        let port = addresses
            .first()
            .and_then(|a| a.rsplit_once(':'))
            .map_or("9090", |(_, port)| port);
        options.config = ConfigSource::Text(built_in::configuration(port));
        options.built_in_rules = built_in::rules();
        tracing::info!(
            "no configuration file was given: scraping this server itself, with essential.yaml and prometheus.yaml of alert-rules/; notifications go to the log"
        );
    }
    Ok(options)
}

fn external_url(text: &str) -> Result<String, Error> {
    if text.is_empty() {
        return Ok(String::new());
    }
    match url::Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.host_str().is_some() => {
            Ok(text.to_owned())
        }
        _ => Err(wrong(
            "web.external-url",
            text,
            "a whole URL as https://prometheus.example.org/",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(args: &[&str]) -> Result<Options, Error> {
        let command = command().no_binary_name(true);
        options(&Given::read(
            &command.try_get_matches_from(args).expect("known flags"),
        ))
    }

    #[test]
    fn without_a_file_there_is_a_built_in_configuration() {
        let options = given(&["--web.listen-address=127.0.0.1:7777"]).expect("valid");
        let ConfigSource::Text(text) = options.config else {
            panic!("a built-in configuration");
        };
        assert!(text.contains("localhost:7777"), "{text}");
        assert!(!options.built_in_rules.is_empty());
    }

    #[test]
    fn with_a_router_file_alone_nothing_is_scraped() {
        let options = given(&["--alertmanager.config.file=am.yml"]).expect("valid");
        assert_eq!(options.config, ConfigSource::None);
        assert!(options.built_in_rules.is_empty());
    }

    #[test]
    fn wrong_values_name_the_flag_and_what_is_wanted() {
        let error = given(&["--query.timeout=soon"]).expect_err("no duration");
        assert_eq!(
            error.to_string(),
            "--query.timeout: \"soon\" is not understood"
        );
        assert!(error.hint().contains("duration"));
    }
}

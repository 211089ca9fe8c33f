//! The command line, against `prometheus` 3.14, `alertmanager` 0.34, promtool and amtool.
//!
//! | feature | status | proof |
//! |---|---|---|
//! | every flag of `prometheus` and `alertmanager` | known to `serve`: it works, says once why it has no effect, or is refused with a hint (`src/cli/serve/flags.rs` is the table) | `cli::serve::flags` checks it against upstream's lists |
//! | every name of `--enable-feature` | known: it works, says once why it has no effect, or is refused; unknown ones warn with the nearest name (`src/cli/serve/features.rs` is the table) | `cli::serve::features` |
//! | switches as `--x`, `--no-x`; repeated `--web.listen-address` | same; `--x=true` too | `cli::serve::flags` |
//! | SIGHUP, `POST /-/reload`, `--enable-feature=auto-reload-config` | same: a mistake leaves the old configuration running, and nothing of the new one is put in force | `tests/program.rs` |
//! | SIGTERM, SIGINT, `POST /-/quit` | same; series are not ended, since the daemon comes back | `tests/program.rs` |
//! | log lines as `logfmt` or JSON | same keys; `component` instead of `source` | `daemon::log` |
//! | `promtool query instant, range, series, labels` | `watchfire query`, with tables, CSV and `--plot` beside JSON and promtool's text | `cli::query` |
//! | `amtool alert, silence, config show, template render` | same verbs, flags and outputs; `amtool.yml` is read; the server's default address is `http://localhost:9090`; `--enable-feature` chooses the syntax of matchers, and global flags may stand before the verb; `--verbose` is not there | `tests/peers/amtool.rs` |
//! | `amtool config routes show, test` | `watchfire routes show, test`; files of cases beside labels (`check::routing`) | `tests/peers/amtool.rs` |
//! | `amtool check-config`, `cluster show` | `watchfire check alertmanager`; there is no cluster | |
//! | | our own: `why`, `receivers test`, `dead-letters` | `cli::why`, `daemon::notify_loop::trial` |
//! | pint's checks that need no server | `check rules --lint all`, `watchfire explain`; [`lint`](crate::manual::lint) compares | `tests/lint.rs` |
//! | `promtool check healthy, ready` | `watchfire healthcheck` | |
//! | `promtool check config, rules, metrics, web-config`, `amtool check-config` | `watchfire check`: same verdicts and exit codes; also Kubernetes objects, folders, patterns, other formats; `--enable-feature` and `--experimental` may stand before the verb | groups config, rule-format, promtool-runs, rules-wild; `check::source` |
//! | `promtool test rules`: file format, verdicts, `--run`, `--debug`, `--diff`, `--junit`, `--ignore-unknown-fields` | same verdicts; rules that can neither decide nor fail a test group are not evaluated | `rules::unit_test::tests`, groups unit-tests and rules-wild |
//! | `promtool promql format, label-matchers set, label-matchers delete` | `watchfire promql`, without `--experimental`; also `parse`; a change that makes a query invalid is refused | `cli::promql` |
//! | `promtool tsdb list, analyze, dump, dump-openmetrics` | `watchfire tsdb`: same flags and layouts, over our own data folders | `tests/golden/tsdb.rs` |
//! | `promtool tsdb create-blocks-from, bench` | refused as unknown verbs | |
//! | | our own: `tsdb verify`, `tsdb top` | `tests/golden/tsdb.rs`, `tests/program.rs` |
//! | shell completions | `watchfire completions` | |
//!
//! Differences, on purpose:
//!
//! - `tsdb analyze` looks at all that a query would show, not at the last block; a block's number as second argument makes
//!   it look at that block. Blocks have numbers, not ULIDs, and pages instead of chunks; `--extended` shows how columns are
//!   packed. `tsdb dump` sorts by labels, and takes RFC 3339 as well as milliseconds. Nothing is replayed into a sandbox.
//! - `template render` knows the built-in templates (`slack.default.title`, ...); amtool's does not.
//! - Errors of the verbs that speak to a server have their own words.
//! - Without any `*.config.file` a built-in configuration runs. Upstream looks for a file in the working
//!   folder.
//! - `--config.auto-reload-interval` alone switches the looking on, without the feature flag.
//! - `--storage.path` defaults to the folder of the samples.
//! - `--alerts.gc-interval` also says how often expired silences and old log entries are cleared away.
//! - Our own `--watchfire.config.file` names `watchfire.yml` (`config::watchfire`).
//! - Our own `--memory.limit` (or `memory: {limit: ...}` in `watchfire.yml`; default 70 % of the container's limit) is
//!   compared with anonymous memory: at 85 % caches go and memory is flushed early, at 90 % queries, series, labels and
//!   federation over the API get 503, at 95 % new series of the targets that brought most in ten minutes are refused, at 98 % all new series but
//!   those of alerts. Series that exist and rules go on. `/api/watchfire/v1/status/memory` and
//!   `watchfire_tsdb_series_growth` name the job, instance, metric and label that grow.
//! - `check rules` and `check alertmanager` take `PrometheusRule` and `AlertmanagerConfig` objects, which promtool and amtool
//!   refuse for their fields.
//! - `--lint=all` finds more than promtool's two lints. What promtool does not know is never fatal by `--lint-fatal`, only by
//!   `--fail-on`, so that exit codes stay promtool's.
//! - A later YAML document of a rule file, which promtool passes over, gets a warning.
//! - `test rules` shows what differs in its own layout; promtool's words are in the JUnit file. `--debug` shows all series at
//!   the last time that a test looks at.
//! - `--agent` is refused; sections that cannot run yet are refused by name with a hint.

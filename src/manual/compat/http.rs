//! The HTTP API, against Prometheus 3.14.
//!
//! | endpoint | status | proof |
//! |---|---|---|
//! | envelope, error types and status codes, at most ten warnings and infos | same | `http::tests` |
//! | GET and POST forms, form before query string, times as floats or RFC 3339, durations | same | `http::params`, `http::tests::grafana` |
//! | 405 with `Allow` and 404 `page not found` | same | `http::tests` |
//! | CORS headers, gzip answers | same | `http::tests` |
//! | `query`, `query_range`: `timeout`, `limit`, `lookback_delta`, `stats`, 11,000 points | same; `stats=all` tells samples per step with the feature `promql-per-step-stats` | `http::tests::grafana` |
//! | `series`, `labels`, `label/NAME/values` (with `U__` names), `query_exemplars` | same | `http::tests::grafana` |
//! | all of the above and below, byte for byte beside Prometheus 3.5 | same but for what this page names | `tests/differential/http_diff.py` |
//! | `format_query`, `parse_query` | same | `http::syntax_tree`, `tests/peers.rs` |
//! | `targets`, `scrape_pools`, `targets/metadata`, `targets/relabel_steps`, `metadata`, `alertmanagers` | same | `http::tests` |
//! | `rules` with every filter and pages, `alerts` | same; without alerts the list is empty where upstream shows null | `http::tests`, `http::tests::grafana` |
//! | `notifications`, `notifications/live` | same, with upstream's words; both answer while the store opens, the stream from then on | `http::tests::surface`, `http::notices` |
//! | `features` | same categories and names; what is not there is `false` | `http::tests::surface` |
//! | `status/{config,flags,runtimeinfo,buildinfo,tsdb,walreplay}` | same shapes; `buildinfo` tells the version of Prometheus whose behaviour this is | `http::tests::grafana` |
//! | `/-/healthy`, `/-/ready`, `/-/reload`, `/-/quit`, `/version`, `/metrics` (text format) | same | `http::tests` |
//! | `web.config.file`: TLS, client certificates, names of clients, bcrypt passwords, headers | same; read again for each new connection | `daemon::server` |
//! | route prefix, external URL | same | `http::tests` |
//! | the page | our own, plain: queries with table and graph, alerts, targets, rules, status, at `/query`, `/graph`, `/alerts`, `/targets`, `/rules`, `/status`; links of alerts (`g0.expr`, `g0.tab`) lead to the query | `http::tests::surface`, `ui` |
//! | `search/...`, `status/tsdb/blocks`, `read`, OTLP, `/debug/pprof`, consoles | not there: 404 | |
//!
//! Differences, on purpose:
//!
//! - Queries wait for one of `--query.max-concurrency` permits together with `series`, `labels` and the like.
//! - A query whose client went away is stopped.
//! - Times that Go's arithmetic wraps (beyond the year 2262, infinite ones) are taken as they are or refused; steps
//!   below half a millisecond are refused; a query whose time is over before it begins is a `timeout`.
//! - `--web.read-timeout` holds for the head of a request and idle time before it, and once more for the body.
//! - `"`, `<` and `>` may stand raw in a query string, as Go's server takes them; not after a request with a
//!   chunked body on the same connection, and not over HTTP/2, whose clients escape them.
//! - Multipart forms are not read. Paths with doubled or trailing slashes are unknown; upstream redirects them.
//! - In `rules`, `targets` and the like, `<`, `>` and `&` in texts stand as they are; upstream writes `\u003c` and so on,
//!   as do queries, labels and errors here. To a reader of JSON it is the same.
//! - A `limit` keeps the first values in order; upstream keeps any.
//! - Of `client_allowed_sans`, e-mail addresses and URIs are not compared. TLS below 1.2 is not spoken.
//! - `rate_limit` of the web configuration is read and has no effect.

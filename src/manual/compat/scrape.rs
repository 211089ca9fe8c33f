//! Scraping, discovery and relabeling, against Prometheus 3.14.
//!
//! | feature | status | proof |
//! |---|---|---|
//! | `relabel_configs`, `metric_relabel_configs`: all eleven actions, both validation schemes | same | conformance group `relabel` |
//! | text 0.0.4 and 1.0.0, OpenMetrics 1.0, length-delimited protobuf with native histograms | same | groups `exposition`, `openmetrics`, `pages`; property tests in `exposition` |
//! | texts of parse errors | same, followed by the line (text) or byte (protobuf) where it happened | group `exposition` |
//! | `scrape_protocols`, `fallback_scrape_protocol`, `Accept`, escaping schemes | same | group `exposition`; `exposition::protocol`, `exposition::escaping` |
//! | `convert_classic_histograms_to_nhcb`, `always_scrape_classic_histograms`, `scrape_native_histograms` | same | group `exposition`; `exposition::tests::protobuf` |
//! | start timestamps: protobuf and OpenMetrics `_created` | same | group `exposition` |
//! | `created-timestamp-zero-ingestion`, `st-storage` | same: a 0 where counting began, at most an hour back and once; or the start stored beside the sample | `scrape::tests` |
//! | type and unit labels | same | group `exposition` |
//! | what pages become: label conflicts, timestamps, staleness, limits, content types, gzip, histograms, exemplars, metadata | same as a Prometheus 3.5.3 on the same pages | `tests/peers/scrape_edges.rs` |
//! | targets that mean harm: endless, huge, slow, lying, packed, resetting | cost their own scrapes and bounded memory | `tests/program/hostile.rs` |
//! | targets: discovered labels, defaults, errors, hash, URL | same | `scrape::target` |
//! | spreading over the interval, alignment to 2 ms | same formula, of the host's name without the external labels; up to eight targets whose places lie in the same 50 ms (a twentieth of the interval, if that is less) share the first; the slot is the planned time, not the moment of the first scrape | `scrape::place`, `scrape::schedule` |
//! | limits of samples, labels, name and value lengths, buckets, body size, targets | same | `scrape::tests`, `daemon::scrapes` |
//! | report series, `extra_scrape_metrics` | same | `scrape::tests` |
//! | staleness: series gone, failed scrape, target gone, `track_timestamps_staleness` | same, but see below | `scrape::tests`, `daemon::scrapes` |
//! | `scrape_failure_log_file` | same fields; files are not rotated by us | |
//! | `static_configs`, `file_sd_configs`, `http_sd_configs`, `dns_sd_configs` | same; files are looked at every two seconds instead of watched | `daemon::sd` |
//! | other mechanisms of discovery | read and checked, but they cannot run; a warning says so | |
//!
//! Differences, on purpose:
//!
//! - A page that cannot be taken (parse error, a limit) ends **every** series of the page before. Upstream
//!   forgets those that it had read before the error and leaves them to the lookback window.
//! - A sample older than the out-of-order window is counted as out of order. Upstream fails the scrape.
//! - When the store has no room for new series, a scrape goes on with the series that it has
//!   (`watchfire_target_scrapes_sample_refused_total`).
//! - A body of 512 MiB or more is refused even without `body_size_limit`.
//! - Blanks in front of a line of the classic text form are no part of the metric's name. Upstream's parser
//!   takes them into it.
//! - A NUL byte in a comment of the classic text form is part of the comment. Upstream's ends the page there.

//! Compatibility of rule evaluation, rule files and unit tests with Prometheus 3.14.
//!
//! | feature | status | proof |
//! |---|---|---|
//! | rule files: fields, checks, error texts | as upstream | `tests/conformance/config.rs` (rule-format), `tests/conformance/rules.rs` (rules-wild) |
//! | recording and alerting rules, order in a group, `limit`, `query_offset`, group `labels` | as upstream | `rules::tests` |
//! | `for`, `keep_firing_for`, resend delay, 15 minutes of memory for resolved alerts | as upstream | `rules::tests` |
//! | `ALERTS`, `ALERTS_FOR_STATE`, staleness markers of vanished results | as upstream; written from the first evaluation on, since state does not have to be restored from samples first | `rules::tests`, `tests/peers.rs` |
//! | templates in labels and annotations | as upstream | `tests/conformance/templates.rs` (templates-rules) |
//! | evaluation times | multiples of the interval shifted by a hash of file and name, on the millisecond | `rules::tests` |
//! | state across a restart | kept in our own record, `for` and `keep_firing_for` alike; a firing alert that is over after the restart resolves | `rules::tests`, `tests/program.rs` |
//! | `--rules.alert.for-outage-tolerance`, `--rules.alert.for-grace-period` | as upstream for pauses longer than the lookback delta; a shorter pause counts toward `for`, as a gap in the data does | `rules::tests` |
//! | a reload | rules of the same name and labels keep their alerts; series of removed rules end at the next evaluation, those of removed groups at once (upstream waits two intervals) | `rules::tests` |
//! | unit tests (`test rules`) | promtool's format and verdicts; NaN equals NaN | `tests/conformance/rules.rs` (unit-tests, rules-wild) |
//! | `fuzzy_compare` | relative tolerance of 1e-6 | |
//! | concurrent evaluation of independent rules of a group (`concurrent-rule-eval`) | not there; groups run side by side (`--rules.max-concurrent-evals`) | |

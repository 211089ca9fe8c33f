//! Figures that were measured, with machine and date, as baselines for what comes later.
//!
//! # PromQL, 2026-11-21
//!
//! Two cores of an AMD EPYC, Rust 1.95, the bench profile without link-time optimization, while other builds ran on the machine (load
//! about 5 of 2): ratios hold, times are upper bounds.
//!
//! `cargo bench --bench promql_parse`: parsing every expression of the rules in the wild that `promql-parser` takes, too.
//!
//! | text | watchfire, with spans | promql-parser | times faster |
//! |---|---|---|---|
//! | rule corpus | 20.0 ms | 232.5 ms | 11.6 |
//! | `up{job="node"}` | 1.51 µs | 6.82 µs | 4.5 |
//! | ratio of two rates | 16.5 µs | 488 µs | 29 |
//! | quantile of a rate | 13.0 µs | 40.9 µs | 3.2 |
//! | sum of 900 selectors | 15.0 ms | 32.5 ms | 2.2 |
//!
//! `cargo bench --bench promql_eval`: the plain evaluator over 200 series of 240 samples in the reference store; a range has 30 steps.
//!
//! | query | instant | range |
//! |---|---|---|
//! | `requests_total` | 5.70 ms | 3.85 ms |
//! | `rate(requests_total[5m])` | 2.51 ms | 5.24 ms |
//! | `sum by (path) (rate(...))` | 2.68 ms | 5.22 ms |
//! | ratio with `group_left` | 4.87 ms | 8.28 ms |

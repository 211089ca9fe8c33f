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
//!
//! # Memory and restart, 2026-11-21
//!
//! The same machine, release builds without link-time optimization, other builds running unless said otherwise: memory does not
//! depend on the load, times do.
//!
//! Restart after kill -9 with 500,000 series, 50 million samples and 15 MB of log, from the start of the process to the first whole
//! answer, before and after in turn on one copy of a folder, the machine nearly idle:
//!
//! | | seconds, three runs | processor seconds until ready |
//! |---|---|---|
//! | before | 0.84, 0.78, 0.77 | 0.79 |
//! | log read ahead, catalog hashed in order, integers eight bytes at once | 0.48, 0.55, 0.53 | 0.58 |
//!
//! With all of this and no compiler running, `restart.py` of the bench, ours and then Prometheus 3.5.3: 0.45 s until data answers against
//! 8.83 s, 0.7 against 12.1 processor seconds, 168 against 983 MB at most; neither lost a sample.
//!
//! Where the processor's time went before: 52 % catalog (half of it the hash table of labels), 15 % directories of blocks, 33 % log.
//!
//! Anonymous memory per scraped series at 15 s after a minute, as the difference of 150 and 50 targets of 1,000 series: 385 bytes, and
//! 348 since neighbours share their lists of pairs. A target takes about 40 KB beside its series (50,000 series of 50 targets
//! against 97,000 of 500).
//!
//! A million series at 15 s showed its peak, a third above what stays, during the first minute: pages that were fetched and unpacked
//! waited for their turn while the processor was busy creating series.
//!
//! Since pages wait packed and lists are shared, `ingest.py --targets 1000 --seconds 60`, no compiler running: 389 bytes per series at most, 380 at
//! the end, program included. Before both it was 653.
//!
//! An idle server, without configuration: 20.3 MB two seconds after its start, 11.7 MB after eight. Half of the former are pages of
//! code, of which the system maps sixteen for each that is touched; they are given back when the start is over.
//!
//! A simulated day (`WATCHFIRE_SIM_DAY=20:27 cargo test --release --test sim simulated_day -- --nocapture`): 20,000 series at 15 s
//! for 27 hours in virtual time, 129.6 million samples, of which 37 of 100 series stay and 63 pods of 100 series each are replaced. All
//! that is written, the merge of the day included: 3.59 bytes per sample (log 1.83, blocks 1.75, archives 0.01, catalog below 0.01).
//!
//! The simulation of crashes (`WATCHFIRE_SIM_FIRST`, `WATCHFIRE_SIM_SEEDS`, `tests/sim/storage_crash.rs`), a fifth each of kill -9, power
//! cuts, failing writes and syncs, full disks and flipped bits; nothing lost, nothing wrong, nothing that came back, no batch half there:
//!
//! | round | seeds |
//! |---|---|
//! | `crashes_lose_nothing_that_was_promised` | 500000 and 600000 (yesterday), 700000, 800000, 1000000, 1400000: 10,000 from each; 1200000: 16,000; 1500000: 5,000 |
//! | `crashes_before_the_first_flush_lose_nothing_that_was_promised`, where a process dies before it has flushed what the one before had written | 0: 20,000; 1100000 and 1400000: 10,000 from each; 1300000: 48,000; 1500000: 5,000 |
//! | `slow_disk` | 40000: 1,500; 50000: 300 |
//! | `storage_model`, against the reference store | 40000: 1,500; 50000: 200; 51000: 1,000 |
//!
//! They had found three mistakes before: seeds 701082 and 800636 of the first round and 6627 of the second, all of a power cut that
//! loses a record which named series and keeps later ones with the same series.
//!
//! 200 times kill -9 of the running program under scrapes and pushes (`WATCHFIRE_KILLS=200 cargo test --release --test durability`), at
//! the lowest priority on a machine with a load of 4 to 13: 977,791 samples, 123,249 of them pushed, none lost; `for` state as it was.
//!
//! A million series a minute from one target for a minute, under `--memory.limit=600MB` (`WATCHFIRE_BOMB=16700:60:600 cargo test --release
//! --test memory_bomb`), on an idle machine: at most 580 MB; new series are taken again 45 s after the end, and 641 s after it all have left
//! memory, which then has 59 MB, for 1.36 million archived series. On a machine with a load of 7 to 13, 2026-11-22: at most 582 MB, 55 s,
//! 635 s, 72 MB for 1.38 million; 1,482 of 1,493 scrapes of the other target are there.
//!
//! # A full log and tiny targets, 2026-11-22
//!
//! The same machine, other builds running (load 2 to 5 or so). Restart after kill -9, from the start of the process to the first whole answer, of copies
//! of one folder each:
//!
//! | folder | before | rows of the log side by side |
//! |---|---|---|
//! | 502,500 series, log near its limit: 55 MB with 30.6 million samples | 3.0 to 3.5 s | 1.7 to 1.9 s |
//! | 284,000 series that only the log has, in the middle of their first scrapes: 63 MB | 0.5 to 0.6 s | 0.6 to 0.7 s |
//! | 100,000 series, 144 million samples of 24 hours in 10 blocks, 18 MB of log | 0.3 to 0.4 s | 0.3 s |
//!
//! "Before" is a build with link-time optimization, the other one without. Nearly all of the first is the samples: 55 ns each now.
//!
//! 18,000 targets with an address each and 12 series (17 with those of the scrape) at 15 s, an unpacked page of 600 bytes; 20,000 files may be open.
//! One system after the other within three minutes, load 11 to 13:
//!
//! | | watchfire | Prometheus 3.5.3 |
//! |---|---|---|
//! | processor time per scrape, of it the kernel's | 108 µs, 43 µs | 177 µs, 57 µs |
//! | memory after two minutes | 280 MB | 1,934 MB |
//! | ready; all scraped once | 0.1 s; 15.5 s | 0.2 s; 21 s |
//! | scrapes of those that were due | all | all |
//! | 50 more targets by a file of 18,050, until they are there | 1.7 s | 3.9 s |
//!
//! With 20,000 targets, as many as files may be open: 106 µs, 305 MB and all targets up against 384 µs, 3,053 MB and 11 targets down.
//!
//! 15,000 connections stay open (three quarters of what may be open); the other targets are dialed for each scrape.
//!
//! # Routing and notification, 2026-11-21
//!
//! `../shared/bench/scenarios/notify.py` beside Alertmanager 0.33.1, one system after the other on the same two cores of a virtual
//! AMD EPYC, at realtime priority (`chrt -f 50`) while other builds ran (load about 6 of 2, so caches are shared: ratios hold, times are
//! upper bounds). Alerts are posted 64 at a time to a tree of 37 routes; every POST is on disk when it is answered. Lists are fetched
//! and read by a Python client, whose own time counts for both.
//!
//! | 100,000 alerts in 350 groups | watchfire | Alertmanager | ratio |
//! |---|---|---|---|
//! | CPU per alert, until all are delivered | 16.8 µs | 86.8 µs | 5.2 |
//! | memory, peak | 131 MB | 844 MB | 6.5 |
//! | posted after | 1.6 s | 3.3 s | 2.1 |
//! | `GET /api/v2/alerts`, all | 1.58 s | 4.38 s | 2.8 |
//! | `GET /api/v2/alerts`, two filters | 97 ms | 194 ms | 2.0 |
//! | `GET /api/v2/alerts/groups` | 2.09 s | 5.83 s | 2.8 |
//!
//! | 10,000 alerts in 350 groups | watchfire | Alertmanager | ratio |
//! |---|---|---|---|
//! | CPU per alert, until all are delivered | 21.0 µs | 93.0 µs | 4.4 |
//! | memory, peak | 47 MB | 134 MB | 2.8 |
//!
//! | 1,000 routes, 1,000 silences (`tests/differential/routing_load.py`) | watchfire | Alertmanager |
//! |---|---|---|
//! | CPU per alert, 10,000 alerts of which 3,200 are silenced | 24.0 µs | 489 µs |
//! | CPU per alert, 100,000 alerts of which 32,000 are silenced | 18.0 µs | not measured |
//!
//! Of our CPU a third is the kernel's (a sync per POST, sockets, switches between threads), a tenth is the record of decisions. An
//! attempt at a large group counts for several of the sixteen that an integration may have under way: before, the bodies of all
//! 350 groups were in memory at once and the peak was 155 MB.
//!
//! The simulation of the router (`WATCHFIRE_SIM_SEEDS=10000`, `alerting::router::sim`): seeds 0 to 9999, six hours each, with 274,437
//! crashes and power cuts, 2,401,224 notifications (261,364 to the fallback receiver), in 8 minutes; and a crash at each of the 9,201
//! operations of the journal of seeds 1 to 6.
//!
//! # Writing, 2026-11-21
//!
//! Two cores of an AMD EPYC, Prometheus 3.5.3, load from `benchtool` of the bench harness on the same machine, 40 s each after every target
//! was scraped twice, under `chrt -f 50` while other builds ran. "Before" is the commit before gzip pages were unpacked at once; both builds of
//! ours are without link-time optimization, which took a fifth off the earlier one (1.02 instead of 1.28).
//!
//! CPU seconds per million samples:
//!
//! | load | before | watchfire | Prometheus | ratio |
//! |---|---|---|---|---|
//! | `ingest.py --targets 100 --interval 1s` | 1.28 | 0.57, 0.60 | 2.05, 2.50 | about 1/4 |
//! | the same with `--churn 120` | 1.07 | 0.56 | 2.28 | 1/4 |
//! | remote write, 50,000 series, 10 samples of each in a request | 0.45 | 0.22 | 0.90 | 1/4 |
//!
//! With link-time optimization, one system after the other, late on 2026-11-21, nothing else running but an idle server of another test.
//! The machine was slower than hours before (Prometheus' queries took 10.5 instead of 6.8 ms); single runs:
//!
//! | load | watchfire | Prometheus | VictoriaMetrics |
//! |---|---|---|---|
//! | `ingest.py --targets 100 --interval 1s --seconds 100` | 0.47 | 2.03 | |
//! | the same, `--seconds 60` | 0.47 | 2.70, 2.74 | 3.56 |
//! | `--churn 120 --seconds 40` | 0.53 | 2.90 | |
//! | remote write (`query.py`) | 0.26 | 1.09 | |
//! | bytes per sample on the disk after it | 1.35 | 5.92 | |
//! | geometric mean of its queries | 6.3 ms | 10.5 ms | |
//! | `restart.py`, until data answers | 0.40, 0.46 s | 8.01 s | |
//!
//! What a page of 1,000 series and 210 kB (18 kB packed) took then, by `perf`: unpacking a tenth, the ends of the open chunks (memory all over
//! the place) a sixth, five system calls a sixth, HTTP and timers a tenth.
//!
//! Since rows are kept side by side before they go to their series, up to eight of a target, and a page like the one before leaves what is
//! known of its series as it is, `ingest.py --targets 100 --interval 1s` takes 0.41 and 0.38 instead of 0.48 and 0.45, before and after in
//! turn, both with link-time optimization, other builds running. Taking 100 such pages in turn again and again, on one thread without
//! HTTP, costs 96 ns a sample instead of 126, and 51 for unpacking. Of what is left in a server, 130 µs a page are a timer, HTTP and sending
//! the request, of which the kernel has half.
//!
//! With link-time optimization, one system after the other, 2026-11-22, nothing else running (570ba8c, Prometheus 3.5.3, VictoriaMetrics 1.145);
//! HTTP/1.1 in the task that asks, places that targets share, lines that are read ahead, several samples of a series at once:
//!
//! | load | watchfire | Prometheus | VictoriaMetrics |
//! |---|---|---|---|
//! | `ingest.py --targets 100 --interval 1s --seconds 100`, CPU seconds per million samples | 0.277, 0.285, 0.268 | 2.65 | |
//! | the same, `--seconds 60` | 0.277, 0.290 | 2.64, 2.59 | 3.87 |
//! | `--churn 120 --seconds 60` | 0.343, 0.333, 0.305 | 2.60 | |
//! | `--targets 1000 --interval 15s --seconds 60` | 0.340, 0.338 | 3.18 | |
//! | its peak memory per series | 348, 347 B | 1,955 B | |
//! | bytes written per scraped sample, `--seconds 100` | 1.65, 1.72 | 7.52 | |
//! | remote write (`query.py`) | 0.33, 0.35, 0.27, 0.31, 0.30, 0.32 | 0.89, 0.89, 0.86 | 0.44 |
//! | bytes per sample on the disk after it | 1.23, 1.23, 1.46, 1.46, 1.53, 1.45 | 9.35, 9.25, 9.24 | 2.00 |
//! | geometric mean of its queries | 4.8, 5.5, 5.8 ms | 6.9 ms | 3.5 ms |
//! | `restart.py`, until data answers | 0.38, 0.37, 0.32 s | | |
//! | idle memory; size (`cli.py`) | 10.6 MB; 23.7 MB | | |
//!
//! Since a series gets the samples of several rows at once (2026-11-22), and lines are read ahead and handed to the store as slices, builds
//! without link-time optimization of before both, between and after both, all three servers at the same time: 0.557, 0.532, 0.490 and
//! 0.556, 0.544, 0.480; with 10 targets of 10,000 series, between and after, 0.516 and 0.428: such targets now have rows, too.
//!
//! One packed page, cold caches: flate2 in pieces 226 µs, zlib-rs at once 79 µs (and 10 µs for the checksum), libdeflate 52 µs.

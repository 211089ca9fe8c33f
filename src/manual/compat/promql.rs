//! Compatibility of promql with upstream, Prometheus 3.14.
//!
//! # Syntax
//!
//! | What | Status | Shown by |
//! |---|---|---|
//! | selectors, ranges, subqueries, `offset`, `@`, operators, matching, aggregations, calls | the same | group promql-parser |
//! | UTF-8 names in quotes, keywords as names, number and duration forms | the same | group promql-parser |
//! | calculations in ranges and offsets, `step()`, `range()`, `min_of`, `max_of` | the same; on by default | groups promql-parser, promql-printer |
//! | `anchored`, `smoothed`, `fill`, `fill_left`, `fill_right`, experimental functions | the same, behind the same switches | `promql::parser` tests |
//! | `</` and `>/` | the same | `promql::parser` tests |
//! | text and place of the first error | the same | group promql-parser |
//! | further errors of the same text | may differ: upstream's parser is generated and recovers by tables | |
//! | one-line and several-line printing | the same | group promql-printer, `promql::pretty` tests |
//! | series and histogram notation of test files | the same; also `stalexN` | group promql-notation |
//!
//! Differences, all on purpose:
//! - Parentheses, calls and signs nest at most 100 deep, chains of operators hold at most 1000 operations, and
//!   a series line at most two million values; more is an error. Upstream has no bounds and can be made to fail.
//! - Strings are UTF-8. A query may write other bytes (`"\xff"`); they read as U+FFFD, and as
//!   the label of `count_values` they are refused by their own bytes.
//! - U+FFFD in a string prints as `\ufffd`, because the bare character is refused as broken UTF-8.
//! - At most 100 errors are kept per text.
//! - The errors of what is switched off name the switch in brackets after upstream's text.
//!
//! # Evaluation
//!
//! | What | Status | Shown by |
//! |---|---|---|
//! | all functions and aggregations of upstream's list, the experimental ones too | the same | groups promql-evals, promql-steps |
//! | operators on floats and native histograms, matching, `group_left`, `fill`, sets, `bool` | the same | group promql-evals |
//! | staleness, lookback, windows open to the left, `offset`, `@`, subqueries, step invariance | the same | groups promql-evals, promql-steps |
//! | counter resets, extrapolation, `anchored`, `smoothed`, start timestamps | the same | group promql-evals |
//! | native histograms: exponential, custom buckets, quantiles, trimming, reconciliation, compensated sums | the same | group promql-evals, `model::histogram` tests |
//! | `info()`, `limitk`, `limit_ratio` | the same; `limit_ratio` keeps the very series that upstream keeps | group promql-evals |
//! | delayed name removal | the same; off in the daemon, on in scripts, as upstream | group promql-evals |
//! | type and unit labels | the same | group promql-evals |
//! | sine, exponential, logarithm, `^` and the like, quantiles that use them | the same to the last bit as Go 1.27 on amd64 | [`math`](crate::math), `tests/peers/math.rs` |
//! | warnings and infos with their place | the same | group promql-evals |
//! | limits: samples at once, time, cancellation, with upstream's texts | the same | `promql::engine` tests |
//! | extended ranges, fill modifiers, `info()`, trimming; rules that are easily got wrong | the same | `tests/promql/*.test` |
//! | queries of the compliance suite; expressions of known rules over real scrapes | the same as 3.5.3 | `tests/peers.rs`, `tests/differential/rules_diff.py` |
//! | test scripts: `load`, `load_with_nhcb`, `eval`, `expect`, and the checks of the runner | the same | group promql-runner, example `promqltest` |
//!
//! Differences:
//! - Histograms are never padded with empty buckets by storage. Upstream's chunks do that, so where a sample has no
//!   positive buckets and others of its chunk have, `histogram_quantile` of the zero bucket begins at zero there and
//!   below it here; quantiles of negated histograms, `changes` between histograms that differ in nothing else, and
//!   products with an infinity may differ, too, and `totalQueryableSamples` is larger there.
//! - Of two notes that differ only in their place, the first is shown, as since upstream 3.13; 3.5 shows the last.
//! - `peakSamples` may differ by a few: what is held at once depends on how the evaluator goes about it.
//! - Queries of rules do not wait for a permit of `--query.max-concurrency`: a dashboard cannot hold up an alert.
//!
//! Series come in the order of their creation while memory alone answers, as upstream's, and sorted by labels once
//! blocks do; `sort`, `topk`, `limitk` and sums that round depend on it. Equals are ordered as Go's sort leaves them.
//!
//! # Against Prometheus 3.5
//!
//! `promql_diff.py` compares with 3.5.3. What it counts comes from changes since then, whose new behaviour the
//! conformance data asks for, or from the differences above. `tests/differential/promql_classify.py` finds the
//! innermost expression behind each counted difference and matches it with a line of this table or with the padding
//! of histograms above; over 48,000 queries of 24 seeds (101 to 110, 201 to 210, 301 to 304) none is left over:
//!
//! | Shows in | 3.14 | Change |
//! |---|---|---|
//! | `histogram_fraction` of classic buckets | a lower bound in the first bucket gives a number, not NaN | prometheus#17424 |
//! | `sort_by_label` and the like in range queries and subqueries | warn that they have no effect | `range_queries.test` |
//! | `avg_over_time`, `sum_over_time`, `avg`, `sum` of native histograms | warn of conflicting counter resets | prometheus#17051, #17094, #17312 |
//! | filtering comparisons | a match that is not unique is an error even if the filter drops it | prometheus#17668 |
//! | `rate`, `increase` of native histograms | are not extrapolated below zero | prometheus#16828 |
//! | `histogram_count`, `histogram_sum` around sums and rates of mixed kinds of buckets | the mix is refused as with buckets | `native_histograms.test` |
//! | `-` of native histograms, differences, negative factors | make gauges, so that `rate` warns | prometheus#17004, #17046 |
//! | `histogram_count`, `histogram_sum`, `histogram_avg` around operators | all selectors are read without buckets; 3.5 does that to the first alone, and to none if the call is the outermost | prometheus#18660 |
//! | `mad_over_time` | a NaN in the range makes the result NaN | `functions.test` |
//! | `avg` | divides sum and compensation apart, which shows in the last bit | `aggregators.test` |
//! | texts of errors and notes | as in 3.14 | |
//!
//! # Regular expressions
//!
//! Patterns are Go's RE2 in notation, meaning and error texts (`text::regex` tests). Patterns that nest
//! deeper than 250 or compile to more than 16 MiB are refused as `expression too large` or `expression
//! nests too deeply`; upstream allows 1000 and 128 MiB.

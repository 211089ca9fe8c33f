//! The lint: what it knows, how precise it is, and how to live with it.
//!
//! `watchfire explain` lists the checks, `watchfire explain W012` shows the page of one: what it looks for, why,
//! an example, how to silence it. Ids are stable. `check rules --lint all` runs all of them; with
//! `--alertmanager.config.file` routing and rules are checked together, and `check config` hands the intervals and external
//! labels of `prometheus.yml` to the checks.
//!
//! One analysis ([`check::analysis`](crate::check::analysis)) works out for every node of an expression which
//! labels its results can carry (guaranteed, expected, excluded and where), between which bounds the values
//! lie (interval arithmetic; a part divided by its whole; known metrics), and whether a condition filters.
//! The checks ask it. Where nothing is certain it answers "anything", so that a check stays silent.
//!
//! # Silence
//!
//! - `# watchfire ignore W012 reason` above or in a rule, a group or a route; `# watchfire ignore-file W012 reason`;
//!   `# pint disable CHECK`, `# pint file/disable CHECK`, `# pint ignore/...` are honoured too. A comment outside of lists counts
//!   for the Kubernetes object that it stands in or above, or for the file.
//! - `lint: {severities: {never-true: off}}` in `watchfire.yml`; `error` makes a finding fatal.
//! - `--write-baseline FILE` once, then `--baseline FILE`: only new findings are shown. Lines do not count.
//!
//! # Repairs
//!
//! `check rules --diff` shows what has one right answer, `--fix` does it: fields such as `severity:` that belong under
//! `labels:` or `annotations:`, keys given twice with the same value, values that begin with a template and are not quoted,
//! keys in another order than in the file's other rules, and the layout of expressions with `--format-exprs`.
//! `check alertmanager --fix` writes `matchers` for `match` and `match_re`. Edits are byte ranges of the file, so
//! comments and layout stay; the result is read again, and refused when it does not load or means something else. Rules in
//! Kubernetes objects and in braces are mended as well; what is left although others like it are mended is named with the reason.
//!
//! # The checks of pint
//!
//! | pint (offline) | here |
//! |---|---|
//! | yaml/parse, promql/syntax, pint/comment | E001 to E006, W005 |
//! | alerts/annotation | W030 without configuration, W055 with |
//! | alerts/comparison, promql/impossible | W010, W011, W012, W019, W024, W029 |
//! | alerts/for, rule/for | W031, W032 (on demand), W052 |
//! | alerts/absent | W023, W037 |
//! | alerts/template | E006, W033 to W036 |
//! | promql/rate, promql/counter | W014, W015, W016, W017, W028 |
//! | promql/vector_matching | W018 |
//! | promql/regexp | W020 |
//! | promql/nan | W013, W026 |
//! | promql/fragile | W021, W045 |
//! | promql/series | W063, W069: by the names of the checked rules and of some 3000 well-known metrics, as no server is asked |
//! | promql/aggregate, promql/selector | W053, W056 |
//! | promql/range_query, promql/offset | W027 |
//! | rule/duplicate, rule/dependency, rule/label, rule/name, rule/reject | W001, W062 and W064, W051 and W065, W050, W054 |
//! | group/interval | W061 |
//! | alerts/external_labels, labels/conflict | W042, W043, in `check config` |
//! | rule/owner, rule/report | W057, W058; pint's owner comments count |
//! | rule/link | W044: whether it is an address at all; no request is made |
//!
//! # Precision on the best-known rules
//!
//! All 160 YAML files of `../shared/conformance/rules-wild` (1871 rules), each finding read by hand; `cargo test --test lint
//! well_known_rules -- --nocapture` counts again, `WATCHFIRE_LINT_SHOW=all` shows them.
//!
//! | check | findings | verdict |
//! |---|---|---|
//! | W010 no-condition | 1 | right: `expr: test`, in test data of vmalert |
//! | W012 never-true | 3 | right: two `count(...) == 0`, one rate under 0 |
//! | W013 division-by-zero | 4 | right: memory limits that are 0 without a limit |
//! | W018 vector-matching | 2 | right: `conn_type` is `current` on one side and `available` on the other |
//! | W020 useless-regexp | 39 | right: plain texts and `.*` as patterns, most of them from generators; info |
//! | W023 absent-without-for | 1 | right |
//! | W026 nan-in-aggregation | 2 | right: averages of latencies of devices that may idle |
//! | W027 beyond-retention | 7 | right: windows of 30 days, which need more than the 15 that are kept by default; info |
//! | W028 delta-of-counter | 1 | right |
//! | W029 selects-nothing | 6 | right: `integration!~".*"`, a placeholder that was never filled in |
//! | W030 no-annotations | 3 | right: test data |
//! | W033 template-label-lost | 155 | right: templates print `instance` or `job`, which the aggregation or `absent()` dropped |
//! | W034 template-fails | 1 | right: `value` is called without an argument |
//! | W039 ratio-of-everything | 1 | right; info |
//! | W047 prediction-alone | 1 | right; info |
//! | W062 recorded-later | 3 | right: an hourly sum is recorded after the 30 days that read it; info |
//! | W083 inhibition-missing | 3 | arguable: packs of rules come without the router's configuration that would tell; info |
//!
//! W042 to W046, W057, W058 and W069 find nothing there. The names of W069's list come in part from these packs; with each
//! pack's own names left out of the list it still finds nothing in it.
//!
//! 200 generated rules with a fault planted in each, of 40 kinds, stand among 200 clean ones: all are found and nothing else
//! (`cargo test --test lint planted -- --nocapture` prints precision and recall of each check).
//!
//! The review took out what fired without cause: labels named `alertname` of vmalert's own metrics, raw counters compared with 0 (gauges are called `_total` too), conditions
//! made of matchers, buckets of VictoriaMetrics, `unless up` as a guard.

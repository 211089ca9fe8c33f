//! Routing and notification, against Alertmanager 0.34.
//!
//! | feature | status | proof |
//! |---|---|---|
//! | matchers: UTF-8 and classic syntax, fallback between them, error texts; features `classic-mode` and `utf8-strict-mode` | same, in files, filters, silences and the names of labels; matchers that only the classic syntax understands are warned of | conformance group `am-matchers`, `tests/peers/matcher_modes.rs` |
//! | time intervals: times, weekdays, days of month (negative too), months, years, location | same | group `am-intervals` |
//! | route tree: inheritance, `continue`, `group_by` (`...`, empty), keys, ids, labels | same | group `am-routing` |
//! | group keys, fingerprints | same texts and hashes | groups `am-routing`, `notify` |
//! | inhibition: several sources, `equal`, names, two-sided alerts | same; the source that lasts longest is named | group `am-inhibit` |
//! | silences: matcher sets, annotations, update and expiry rules, limits, retention | same; a silence is as large as upstream's protobuf of it | `alerting::silence` |
//! | `alertmanager.yml`: all sections, defaults, checks, inheritance of the global section | same, all mistakes at once with line and column | group `am-config` |
//! | `tracing` | read, not acted on | |
//! | grouping, `group_wait` (skipped for old alerts), `group_interval`, `repeat_interval` | same, quantised by the group interval as upstream | `alerting::router` |
//! | mute stages and their order, `notification_reason` | same | `alerting::router`, group `notify` |
//! | notification log: what counts as news | same | `alerting::notification_log` |
//! | `resolve_timeout`, merging of alerts whose times overlap | same | `alerting::router` |
//! | retries: half a second, growing by half, a minute at most, with jitter | same; `Retry-After` is honoured, by later flushes too, and 429 retried | `alerting::router` |
//! | API v2: status, receivers, alerts, groups, silences | same bytes, error bodies included; the status shows the configuration with upstream's defaults | `http::api_v2`, `tests/peers/amtool.rs`, `tests/program/karma.rs` |
//! | `--silences.max-silences`, `--silences.max-silence-size-bytes`, `--alerts.per-alertname-limit` | same; alerts that have ended and not been told of count until they have | `alerting::silence`, `alerting::router` |
//! | feature `muted-alerts-in-nflog` | not there; 0.34 only notes the muted alerts and does nothing with them | |
//! | clustering (`--cluster.*`) | not there; the status says `disabled` | |
//!
//! `tests/am_scenarios/scenarios.py` holds scenarios for `am_diff.py`, one for each receiver and stage;
//! `tests/differential/template_diff.py` sends random templates through amtool and through us.
//!
//! Differences, on purpose:
//!
//! - Alerts are durable. After a restart those that still fired go on firing for `resolve_timeout` at
//!   least, so that the time away resolves nothing; upstream forgets them and waits to be told again.
//! - Every notification is in a journal before its first attempt. What a crash interrupts is sent again,
//!   and if its alerts have ended by then, their end is sent. The same holds for a request that went out and that
//!   nobody answered: it may have arrived, so the end of its alerts is told. Upstream forgets both.
//! - Integrations of a group do not wait for each other: one that hangs is cut off when the group
//!   interval (ten seconds at least) is over, the others go on. Upstream holds the whole group.
//! - A changed configuration keeps groups, their timers and attempts under way; upstream starts over.
//! - `/api/v2/alerts/groups` has `routeLabels`, and `/api/v2/silences` has `annotations`, as soon as the
//!   configuration gives any route labels, or the silence has annotations; 0.34 also shows empty ones where
//!   nobody uses them. All other answers fulfil the schema of 0.34 (`tests/program/api_v2.rs`).
//! - `/api/watchfire/v1/decisions` tells what each stage decided about each alert; it survives a restart.
//! - A 200 whose body is endless, slow or torn is a success for receivers that only look at the status, and
//!   none for those that read the body; upstream waits for the whole group interval, or reads without end.
//! - Requests to SNS are signed over content type, host and the `x-amz-` fields, which is what signature
//!   version 4 asks for; upstream's SDK signs the length and fields of its own too. Both are valid.
//! - Slack's errors about the moment (`ratelimited`, `internal_error`, ...) are tried again, upstream gives up.
//!   Where Slack refuses the edit that `update_message` asks for, because the message was deleted or is too old, a
//!   new message is sent; upstream tells the group nothing more until all of it is resolved.
//! - What a receiver answers is told without the secrets that it was sent (`tests/program/secrets.rs`), and
//!   findings of `check` show stars in place of secrets.
//! - A receiver may have a fallback receiver. It is told of a group while an integration is not reached: its
//!   notification was refused, or had not succeeded when the next flush came. What was lost stands in
//!   `/api/watchfire/v1/dead_letters`, one letter for each group and integration.

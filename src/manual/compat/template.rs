//! Templates, against Prometheus 3.14 (labels and annotations of rules) and Alertmanager 0.34 (notifications).
//!
//! | feature | status | proof |
//! |---|---|---|
//! | the language: pipelines, variables, `if`, `range` with `break` and `continue`, `with`, `else if`, `define`, `block`, `template`, comments, trim markers | as Go's text/template | groups `templates-rules`, `templates-notify`; unit tests of `template::exec` |
//! | `and`, `or`, `not`, `eq` and its kin, `len`, `index`, `slice`, `print`, `printf`, `println`, `html`, `js`, `urlquery` | as Go's, with its error texts | same |
//! | `printf`: verbs, flags, widths, complaints such as `%!d(string=x)` | as Go's `fmt` for the kinds of values that templates have | unit tests of `template::printf` |
//! | functions of rules: `query`, `first`, `label`, `value`, `strvalue`, `sortByLabel`, `args`, `humanize` and its kin, `toTime`, `toDuration`, `now`, `parseDuration`, `title`, `toUpper`, `toLower`, `match`, `reReplaceAll`, `stripPort`, `stripDomain`, `graphLink`, `tableLink`, `externalURL`, `pathPrefix`, `urlQueryEscape`, `safeHtml` | same | group `templates-rules` |
//! | `$labels`, `$value`, `$externalLabels`, `$externalURL` | same | same |
//! | functions of notifications: `toUpper`, `toLower`, `title`, `trimSpace`, `match`, `reReplaceAll`, `safeHtml`, `safeUrl`, `urlUnescape`, `join`, `toJson`, `stringSlice`, `list`, `append`, `dict`, `now`, `since`, `date`, `tz`, `toDate`, `mustToDate`, `humanizeDuration` | same | group `templates-notify` |
//! | data of notifications, default templates of all receivers, template files that override them | same | groups `templates-notify`, `notify` |
//! | contextual escaping in HTML mail | as Go's html/template: text, attributes, URLs, styles and scripts | unit tests of `template::html` |
//! | time formats and zones | as Go's `time.Format` | unit tests of `template::gotime` |
//!
//! Differences, on purpose:
//!
//! - One expansion may take four million steps, write 16 MiB and nest 400 levels; beyond that it is an error
//!   of that template. Upstream has no such bounds.
//! - Console templates are not there.

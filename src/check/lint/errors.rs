//! The pages of what refuses a file, and of promtool's own lints.

use crate::check::Severity;

use super::Page;

/// The text is no YAML.
pub(in crate::check) static YAML_SYNTAX: Page = Page::new(
    "E001",
    "yaml-syntax",
    Severity::Error,
    "The text is no YAML.",
)
.why("Nothing of the file can be read. Usual causes: a tab in the indentation, a value with `: ` or `{{` in it that is not quoted, a list item that is indented less than its neighbours.")
.example(
    "annotations:\n  summary: {{ $labels.instance }} is down",
    "annotations:\n  summary: \"{{ $labels.instance }} is down\"",
);

/// A field that nobody knows.
pub(in crate::check) static UNKNOWN_FIELD: Page = Page::new(
    "E002",
    "unknown-field",
    Severity::Error,
    "A field that does not exist, or that stands in the wrong place.",
)
.why("Prometheus and Alertmanager refuse files with fields that they do not know, and keep running with the old ones. A rule has the fields alert, record, expr, for, keep_firing_for, labels and annotations; everything else, such as a severity, is a label or an annotation.")
.example(
    "- alert: Down\n  expr: up == 0\n  severity: critical",
    "- alert: Down\n  expr: up == 0\n  labels:\n    severity: critical",
);

/// A key given twice.
pub(in crate::check) static DUPLICATE_KEY: Page = Page::new(
    "E003",
    "duplicate-key",
    Severity::Error,
    "A key is given twice in one mapping.",
)
.why("YAML does not say which of the two counts, and the file is refused. When both have the same value, `--fix` takes the second away.")
.example(
    "labels:\n  severity: page\n  team: db\n  severity: warning",
    "labels:\n  severity: page\n  team: db",
);

/// A value of another type than wanted.
pub(in crate::check) static WRONG_TYPE: Page = Page::new(
    "E004",
    "wrong-type",
    Severity::Error,
    "A value is of another type than the field wants: a list for a text, a text for a number.",
)
.why("The file is refused. The message says what was found and what is wanted.")
.example("labels:\n- severity: page", "labels:\n  severity: page");

/// An expression does not parse.
pub(in crate::check) static EXPRESSION_SYNTAX: Page = Page::new(
    "E005",
    "expression-syntax",
    Severity::Error,
    "An expression is no PromQL.",
)
.pint("promql/syntax")
.why("The whole file is refused, not just the rule. The place is told in the file and in the expression, also within block scalars.")
.example("expr: sum(rate(errors_total[5m])", "expr: sum(rate(errors_total[5m]))");

/// A template does not parse.
pub(in crate::check) static TEMPLATE_SYNTAX: Page = Page::new(
    "E006",
    "template-syntax",
    Severity::Error,
    "The template of a label or an annotation does not parse.",
)
.pint("alerts/template")
.why("The whole file is refused. Usual causes: a variable that does not exist (there are $labels, $value, $externalLabels and $externalURL), a function with the wrong name, an action that is not closed.")
.example("summary: '{{ $label.instance }} is down'", "summary: '{{ $labels.instance }} is down'");

/// A rule that is right YAML and no rule.
pub(in crate::check) static RULE: Page = Page::new(
    "E007",
    "invalid-rule",
    Severity::Error,
    "A rule or a group is not complete or contradicts itself.",
)
.why("The whole file is refused. A rule has an expression and exactly one of `alert` and `record`; a recording rule has neither `for` nor annotations; names of groups are unique in a file.")
.example("- record: job:up:sum\n  expr: sum by (job) (up)\n  for: 5m", "- record: job:up:sum\n  expr: sum by (job) (up)");

/// A configuration that is right YAML and means nothing good.
pub(in crate::check) static CONFIG: Page = Page::new(
    "E008",
    "invalid-config",
    Severity::Error,
    "A configuration contradicts itself or names something that does not exist.",
)
.why("Prometheus, Alertmanager and watchfire refuse to start or to reload with it. The messages are upstream's where it has one.")
.example("scrape_interval: 10s\nscrape_timeout: 30s", "scrape_interval: 30s\nscrape_timeout: 10s");

/// A file that cannot be read.
pub(in crate::check) static UNREADABLE: Page = Page::new(
    "E009",
    "unreadable",
    Severity::Error,
    "A file cannot be read, or does not exist.",
)
.why("What is in it cannot be checked, and no program that is given it will start.");

/// A warning on a configuration that loads.
pub(in crate::check) static CONFIG_WARNING: Page = Page::new(
    "W003",
    "config-warning",
    Severity::Warning,
    "A configuration loads, but something in it is deprecated or has no effect.",
)
.why("It works today and does less than it says, or will stop working.");

/// A section that watchfire reads and cannot run.
pub(in crate::check) static UNSUPPORTED: Page = Page::new(
    "W004",
    "unsupported",
    Severity::Info,
    "A section is right for Prometheus, but watchfire cannot run it.",
)
.why("The file is valid and stays so; this section has no effect here. The hint says what to use instead.");

/// promtool's `too-long-scrape-interval`.
pub(in crate::check) static SCRAPE_INTERVAL: Page = Page::new(
    "W002",
    "too-long-scrape-interval",
    Severity::Lint,
    "A job is scraped more rarely than queries look back.",
)
.why("A query takes the newest sample of the last 5 minutes (`--query.lookback-delta`). When samples lie further apart, series have gaps: graphs break, and alerts resolve between two scrapes.")
.example("scrape_interval: 10m", "scrape_interval: 2m");

/// A comment that silences nothing.
pub(super) static UNKNOWN_CHECK: Page = Page::new(
    "W005",
    "unknown-check",
    Severity::Warning,
    "A comment is to silence a check that does not exist.",
)
.pint("pint/comment")
.why("The comment does nothing; whoever wrote it believes otherwise.")
.example(
    "# watchfire ignore W912 known",
    "# watchfire ignore W012 known",
);
/// A YAML document that nobody reads.
pub(in crate::check) static LATER_DOCUMENT: Page = Page::new(
    "W090",
    "later-document",
    Severity::Warning,
    "A rule file has a second YAML document, which Prometheus does not read.",
)
.why("Prometheus and promtool read the first document of a rule file and pass over the others without a word: the rules in them do not exist. Kubernetes objects are not concerned: each document of a stream of them counts.")
.example("groups:\n- name: a\n---\ngroups:\n- name: b", "groups:\n- name: a\n- name: b");

/// promtool's lint of a metrics page.
pub(in crate::check) static METRICS: Page = Page::new(
    "W091",
    "metrics-lint",
    Severity::Lint,
    "A metric is not named or described as Prometheus's conventions have it.",
)
.why("Names tell readers and tools what a metric is: counters end with `_total`, units are base units and stand in the name, help texts explain. The page works all the same.")
.example("# TYPE requests counter\nrequests 1", "# HELP requests_total Requests served.\n# TYPE requests_total counter\nrequests_total 1");

use std::ops::Range;

use crate::alerting::matchers::Syntax;
use crate::check::analysis::Analysis;
use crate::check::{Finding, RuleFile};
use crate::config::alertmanager::{self, AlertmanagerConfig};
use crate::config::lint::LintOptions;
use crate::config::prometheus::Config;
use crate::promql::ast::PosRange;
use crate::rules::file::{FileGroup, FileRule, FileRuleKind};
use crate::text::yaml::{Document, Entry, Node, parse_first};
use crate::time::Span;

use super::Page;

/// What is checked together: routing and rules know more of each other than each alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct Subjects<'a> {
    /// The rule files.
    pub rules: &'a [RuleFile],
    /// The router's configuration, when there is one.
    pub routing: Option<&'a Routing>,
    /// The `prometheus.yml`, when there is one: it tells intervals and external labels.
    pub config: Option<&'a Config>,
}

/// A router's configuration as the checks see it: the tree it was written as, and what it means.
#[derive(Debug, Clone)]
pub struct Routing {
    /// The file's name as it was given.
    pub name: String,
    /// The text and its tree.
    pub document: Document,
    /// What it means.
    pub config: AlertmanagerConfig,
}

impl Routing {
    /// Reads an `alertmanager.yml`; nothing when it is refused, which [`crate::check::alertmanager`]
    /// explains.
    pub fn parse(name: &str, text: &str, syntax: Syntax) -> Option<Self> {
        let config = alertmanager::parse(text, syntax).ok()?;
        Some(Self {
            name: name.to_owned(),
            document: parse_first(text).ok()?,
            config,
        })
    }
}

/// What the checks may take for granted.
#[derive(Debug)]
pub(super) struct World<'a> {
    pub(super) subjects: Subjects<'a>,
    pub(super) options: &'a LintOptions,
}

impl World<'_> {
    /// How often the targets of a job (of any when `None`) are scraped, as far as it is known.
    pub(super) fn scrape_interval(&self, job: Option<&str>) -> Option<Span> {
        let Some(config) = self.subjects.config else {
            return self.options.scrape_interval;
        };
        let of_job = config
            .jobs
            .iter()
            .find(|known| Some(known.options.job_name.as_str()) == job)
            .map(|known| known.options.scrape_interval);
        Some(of_job.unwrap_or(config.global.scrape_interval))
    }

    /// How long samples are kept, as far as it is known.
    pub(super) fn retention(&self) -> Option<Span> {
        let configured = self.subjects.config.map(|config| &config.storage);
        configured
            .and_then(|storage| storage.retention_time)
            .or(self.options.retention)
    }

    /// How often a group is evaluated, as far as it is known.
    pub(super) fn evaluation_interval(&self, group: &FileGroup) -> Option<Span> {
        if !group.interval.is_zero() {
            return Some(group.interval);
        }
        self.subjects
            .config
            .map(|config| config.global.evaluation_interval)
            .or(self.options.evaluation_interval)
    }
}

/// A rule with all that the checks know of it.
#[derive(Debug)]
pub(super) struct Subject<'a> {
    pub(super) file: &'a RuleFile,
    pub(super) group: &'a FileGroup,
    pub(super) rule: &'a FileRule,
    /// The rule's mapping in the document.
    pub(super) node: &'a Node,
    pub(super) analysis: Analysis<'a>,
}

impl<'a> Subject<'a> {
    /// Shows every rule of a file to `see`.
    pub(super) fn each(file: &'a RuleFile, mut see: impl FnMut(&Self)) {
        let root = &file.document.root;
        let groups = root.entry("groups").and_then(Node::as_sequence);
        for (group, node) in file.groups.iter().zip(groups.unwrap_or_default()) {
            let rules = node.entry("rules").and_then(Node::as_sequence);
            let mut nodes = rules.unwrap_or_default().iter();
            for rule in &group.rules {
                // Rules that are wrong have nodes, but are not in the group.
                let Some(node) = nodes.by_ref().find(|node| node.span == rule.place) else {
                    break;
                };
                see(&Self {
                    file,
                    group,
                    rule,
                    node,
                    analysis: Analysis::new(&rule.expr),
                });
            }
        }
    }

    pub(super) fn is_alert(&self) -> bool {
        self.rule.kind == FileRuleKind::Alerting
    }

    /// A label of the rule or of its group, as it is written.
    pub(super) fn label(&self, name: &str) -> Option<&'a str> {
        self.site().label(name)
    }

    /// The key and value of a field of the rule.
    pub(super) fn field(&self, name: &str) -> Option<&'a Entry> {
        self.site().field(name)
    }

    /// The key and value of a label or annotation of the rule.
    pub(super) fn entry(&self, field: &str, name: &str) -> Option<&'a Entry> {
        self.site().entry(field, name)
    }

    /// The rule without what is worked out of its expression, to be kept for later.
    pub(super) fn site(&self) -> Site<'a> {
        Site {
            file: self.file,
            group: self.group,
            rule: self.rule,
            node: self.node,
        }
    }

    /// Something on the rule as a whole: at its name.
    pub(super) fn on_rule(&self, page: &'static Page, message: impl Into<String>) -> Finding {
        self.site().on_rule(page, message)
    }

    /// Something on a node of the rule.
    pub(super) fn on_node(
        &self,
        page: &'static Page,
        node: &Node,
        message: impl Into<String>,
    ) -> Finding {
        self.site().on_node(page, node, message)
    }

    /// Something on a part of the expression.
    pub(super) fn on_expr(
        &self,
        page: &'static Page,
        at: PosRange,
        message: impl Into<String>,
    ) -> Finding {
        self.site().on_expr(page, at, message)
    }

    /// Something on a part of a scalar of the rule.
    pub(super) fn in_scalar(
        &self,
        page: &'static Page,
        node: &Node,
        bytes: Range<usize>,
        message: impl Into<String>,
    ) -> Finding {
        self.site().in_scalar(page, node, bytes, message)
    }

    /// The text of a part of the expression.
    pub(super) fn text(&self, at: PosRange) -> &'a str {
        self.rule
            .text
            .get(at.start..at.end)
            .unwrap_or_default()
            .trim()
    }
}

/// A rule in its file. Checks that need all rules before they know what to say keep these: they cost
/// nothing, while a finding is drawn at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site<'a> {
    file: &'a RuleFile,
    group: &'a FileGroup,
    rule: &'a FileRule,
    node: &'a Node,
}

impl<'a> Site<'a> {
    /// A label of the rule or of its group, as it is written.
    pub(super) fn label(&self, name: &str) -> Option<&'a str> {
        let named = |labels: &'a [(String, String)]| {
            labels
                .iter()
                .find(|(label, _)| label == name)
                .map(|(_, value)| value.as_str())
        };
        named(&self.rule.labels).or_else(|| named(&self.group.labels))
    }

    /// The alert or the recorded metric.
    pub(super) fn rule_name(&self) -> &'a str {
        &self.rule.name
    }

    /// The key and value of a field of the rule.
    pub(super) fn field(&self, name: &str) -> Option<&'a Entry> {
        self.node
            .as_mapping()?
            .iter()
            .find(|entry| entry.key.as_str() == Some(name))
    }

    /// The key and value of a label or annotation of the rule.
    pub(super) fn entry(&self, field: &str, name: &str) -> Option<&'a Entry> {
        self.field(field)?
            .value
            .as_mapping()?
            .iter()
            .find(|entry| entry.key.as_str() == Some(name))
    }

    /// Something on the rule as a whole: at its name.
    pub(super) fn on_rule(&self, page: &'static Page, message: impl Into<String>) -> Finding {
        let field = match self.rule.kind {
            FileRuleKind::Alerting => "alert",
            FileRuleKind::Recording => "record",
        };
        let node = self.field(field).map_or(self.node, |entry| &entry.value);
        self.on_node(page, node, message)
    }

    /// Something on a node of the rule.
    pub(super) fn on_node(
        &self,
        page: &'static Page,
        node: &Node,
        message: impl Into<String>,
    ) -> Finding {
        self.named(Finding::on_node(
            page,
            &self.file.name,
            &self.file.document,
            node,
            message,
        ))
    }

    /// Something on a part of the expression.
    pub(super) fn on_expr(
        &self,
        page: &'static Page,
        at: PosRange,
        message: impl Into<String>,
    ) -> Finding {
        match self.field("expr") {
            Some(entry) => self.in_scalar(page, &entry.value, at.start..at.end, message),
            None => self.on_rule(page, message),
        }
    }

    /// Something on a part of a scalar of the rule.
    pub(super) fn in_scalar(
        &self,
        page: &'static Page,
        node: &Node,
        bytes: Range<usize>,
        message: impl Into<String>,
    ) -> Finding {
        self.named(Finding::in_scalar(
            page,
            &self.file.name,
            &self.file.document,
            node,
            bytes,
            message,
        ))
    }

    fn named(&self, finding: Finding) -> Finding {
        finding.with_rule(&self.group.name, &self.rule.name)
    }
}

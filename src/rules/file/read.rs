use std::collections::BTreeSet;

use crate::model::ValidationScheme;
use crate::parallel;
use crate::promql::ast::Expr;
use crate::promql::parser::ParseOptions;
use crate::rules::{
    AlertingRule, AlertingRuleOptions, GroupOptions, RecordingRule, RecordingRuleOptions, Rule,
};
use crate::text::yaml::{
    Decoder, Dialect, Document, Fields, Node, Problem, Span as Place, parse_first,
};
use crate::time::Span;

use super::check;

/// How a rule file is read. The default is upstream's.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileOptions {
    /// Whether fields that nobody knows are let pass; default no.
    pub ignore_unknown_fields: bool,
    /// Which names of metrics and labels are valid; default UTF-8.
    pub validation: ValidationScheme,
    /// The feature switches of expressions.
    pub parser: ParseOptions,
    /// Whether fields are let pass that only `PrometheusRule` objects of Kubernetes have; default no.
    pub operator_fields: bool,
}

/// A rule file whose every rule was found right.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleGroupFile {
    /// The groups in order.
    pub groups: Vec<FileGroup>,
}

/// One entry of `groups`.
#[derive(Debug, Clone, PartialEq)]
pub struct FileGroup {
    /// The name; unique in the file.
    pub name: String,
    /// How often the rules are evaluated; zero for the default of the configuration.
    pub interval: Span,
    /// How far back queries look; the default of the configuration when absent.
    pub query_offset: Option<Span>,
    /// How many results a rule may have; zero for any number.
    pub limit: usize,
    /// Labels of all rules; a rule's own win. In the order of the file.
    pub labels: Vec<(String, String)>,
    /// The rules in order.
    pub rules: Vec<FileRule>,
    /// Where the group stands.
    pub place: Place,
}

/// Whether a rule records or alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRuleKind {
    /// `record`
    Recording,
    /// `alert`
    Alerting,
}

/// One entry of `rules`.
#[derive(Debug, Clone, PartialEq)]
pub struct FileRule {
    /// What it does.
    pub kind: FileRuleKind,
    /// The metric or the alert.
    pub name: String,
    /// The expression as it is written.
    pub text: String,
    /// The expression.
    pub expr: Expr,
    /// `for`
    pub hold: Span,
    /// `keep_firing_for`
    pub keep_firing_for: Span,
    /// Labels with their templates, in the order of the file.
    pub labels: Vec<(String, String)>,
    /// Annotations with their templates, in the order of the file.
    pub annotations: Vec<(String, String)>,
    /// Where the rule stands.
    pub place: Place,
    /// Where the expression stands.
    pub expr_place: Place,
}

/// Reads and checks a rule file. An empty file has no groups; only the first YAML document counts.
pub fn parse(text: &str, options: &FileOptions) -> Result<RuleGroupFile, Vec<Problem>> {
    let document = parse_first(text).map_err(|problem| vec![problem])?;
    let (file, problems) = read(&document, &document.root, options);
    if problems.is_empty() {
        Ok(file)
    } else {
        Err(problems)
    }
}

/// Reads the groups of a node of a document (its root, or the part of a larger object that holds
/// them): the rules that are right, and what is wrong with the others.
pub fn read(
    document: &Document,
    root: &Node,
    options: &FileOptions,
) -> (RuleGroupFile, Vec<Problem>) {
    let decoder = Decoder::new(Dialect::V3);
    let file = Reader {
        document,
        decoder: &decoder,
        options,
    }
    .file(root);
    (file, decoder.into_problems())
}

/// What a rule says, before it is known to be right.
pub(super) struct RawRule<'n> {
    pub(super) record: String,
    pub(super) alert: String,
    pub(super) expr: String,
    pub(super) hold: i64,
    pub(super) keep_firing_for: i64,
    pub(super) labels: Vec<(&'n Node, String)>,
    pub(super) annotations: Vec<(&'n Node, String)>,
    pub(super) record_node: Option<&'n Node>,
    pub(super) alert_node: Option<&'n Node>,
    pub(super) expr_node: Option<&'n Node>,
    /// The nodes of the values of labels and annotations, in the same order.
    pub(super) label_values: Vec<&'n Node>,
    pub(super) annotation_values: Vec<&'n Node>,
    pub(super) place: Place,
}

pub(super) struct Reader<'d> {
    pub(super) document: &'d Document,
    pub(super) decoder: &'d Decoder,
    pub(super) options: &'d FileOptions,
}

/// A rule that is to be read.
struct RuleNode<'n> {
    /// The index of its group.
    group: usize,
    /// Its number in the group, from 1.
    number: usize,
    node: &'n Node,
}

/// Files with fewer rules than twice as many are read on one thread.
const RULES_PER_THREAD: usize = 200;

impl Reader<'_> {
    fn file(&self, root: &Node) -> RuleGroupFile {
        let mut groups: Vec<FileGroup> = Vec::new();
        if root.as_sequence().is_some() {
            let text = "cannot unmarshal !!seq into rulefmt.RuleGroups";
            let problem = Problem::new(root.span, text);
            self.decoder
                .report(problem.with_hint("begin the file with `groups:`"));
            return RuleGroupFile { groups };
        }
        let mut fields = self.decoder.fields(root, "rulefmt.RuleGroups");
        let mut names: BTreeSet<String> = BTreeSet::new();
        let mut rules = Vec::new();
        for node in fields.sequence("groups", "[]rulefmt.RuleGroup") {
            let (group, nodes) = self.group(node);
            if !names.insert(group.name.clone()) {
                let text = format!("groupname: \"{}\" is repeated in the same file", group.name);
                self.decoder.fail(group.place, text);
            }
            let at = groups.len();
            rules.extend(nodes.iter().enumerate().map(|(index, node)| RuleNode {
                group: at,
                number: index + 1,
                node,
            }));
            groups.push(group);
        }
        self.finish(fields, |_| None);
        for (at, rule) in self.rules(&groups, &rules) {
            if let Some(group) = groups.get_mut(at) {
                group.rules.push(rule);
            }
        }
        RuleGroupFile { groups }
    }

    /// The rules that are right, with the indices of their groups, in order. Those of large files are read
    /// on several threads: parsing expressions and templates is most of the work.
    fn rules(&self, groups: &[FileGroup], nodes: &[RuleNode<'_>]) -> Vec<(usize, FileRule)> {
        let parts = parallel::parts(nodes.len(), RULES_PER_THREAD);
        if parts == 1 {
            return self.some_rules(groups, nodes);
        }
        let parts: Vec<&[RuleNode<'_>]> = nodes.chunks(nodes.len().div_ceil(parts)).collect();
        let Self {
            document, options, ..
        } = *self;
        // A decoder belongs to one thread.
        let read = parallel::map(&parts, |part| {
            let decoder = Decoder::new(Dialect::V3);
            let reader = Reader {
                document,
                decoder: &decoder,
                options,
            };
            (reader.some_rules(groups, part), decoder.into_problems())
        });
        let mut rules = Vec::with_capacity(nodes.len());
        for (some, problems) in read {
            rules.extend(some);
            for problem in problems {
                self.decoder.report(problem);
            }
        }
        rules
    }

    fn some_rules(&self, groups: &[FileGroup], nodes: &[RuleNode<'_>]) -> Vec<(usize, FileRule)> {
        nodes
            .iter()
            .filter_map(|at| {
                let group = groups.get(at.group)?;
                Some((at.group, self.rule(&group.name, at.number, at.node)?))
            })
            .collect()
    }

    fn finish(&self, fields: Fields<'_, '_>, hint: impl Fn(&str) -> Option<String>) {
        if !self.options.ignore_unknown_fields {
            fields.finish_with(hint);
        }
    }

    /// A group without its rules, and their nodes.
    fn group<'n>(&self, node: &'n Node) -> (FileGroup, &'n [Node]) {
        let mut fields = self.decoder.fields(node, "rulefmt.RuleGroup");
        let name = fields.string("name");
        let place = fields.peek("name").map_or(node.span, |name| name.span);
        if name.is_empty() {
            self.decoder.fail(place, "Groupname must not be empty");
        }
        let interval = Span::from_ms(fields.duration_ms("interval", 0));
        let query_offset = match fields.node("query_offset") {
            Some(node) if !node.is_null() => self.decoder.duration_ms(node).map(Span::from_ms),
            _ => None,
        };
        let limit = usize::try_from(fields.int("limit", 0)).unwrap_or(0);
        if self.options.operator_fields {
            // Thanos's business.
            fields.node("partial_response_strategy");
        }
        let nodes = fields.sequence("rules", "[]rulefmt.Rule");
        let (labels, _) = self.texts_by_name(&mut fields, "labels");
        check::names(self, &labels, |name| {
            check::label_name(name, self.options.validation)
        });
        self.finish(fields, |_| None);
        let group = FileGroup {
            name,
            interval,
            query_offset,
            limit,
            labels: owned(&labels),
            rules: Vec::new(),
            place,
        };
        (group, nodes)
    }

    fn rule(&self, group: &str, number: usize, node: &Node) -> Option<FileRule> {
        let before = self.decoder.count();
        let mut fields = self.decoder.fields(node, "rulefmt.Rule");
        let record_node = fields.peek("record");
        let alert_node = fields.peek("alert");
        let expr_node = fields.peek("expr");
        let record = fields.string("record");
        let alert = fields.string("alert");
        let expr = fields.string("expr");
        let hold = fields.duration_ms("for", 0);
        let keep_firing_for = fields.duration_ms("keep_firing_for", 0);
        let (labels, label_values) = self.texts_by_name(&mut fields, "labels");
        let (annotations, annotation_values) = self.texts_by_name(&mut fields, "annotations");
        let raw = RawRule {
            record,
            alert,
            expr,
            hold,
            keep_firing_for,
            labels,
            annotations,
            record_node,
            alert_node,
            expr_node,
            label_values,
            annotation_values,
            place: node.span,
        };
        let shape_is_good = self.decoder.count() == before;
        self.finish(fields, move_hint);
        let expr = if shape_is_good {
            check::rule(self, group, number, &raw)?
        } else {
            return None;
        };
        let (kind, name) = if raw.alert.is_empty() {
            (FileRuleKind::Recording, raw.record)
        } else {
            (FileRuleKind::Alerting, raw.alert)
        };
        Some(FileRule {
            kind,
            name,
            text: raw.expr,
            expr,
            hold: Span::from_ms(raw.hold),
            keep_firing_for: Span::from_ms(raw.keep_firing_for),
            labels: owned(&raw.labels),
            annotations: owned(&raw.annotations),
            place: raw.place,
            expr_place: raw.expr_node.map_or(raw.place, |node| node.span),
        })
    }

    /// Names with their nodes and values, and the nodes of the values.
    fn texts_by_name<'n>(
        &self,
        fields: &mut Fields<'_, 'n>,
        name: &'static str,
    ) -> (Vec<(&'n Node, String)>, Vec<&'n Node>) {
        let Some(node) = fields.node(name) else {
            return (Vec::new(), Vec::new());
        };
        self.decoder
            .map(node, "map[string]string")
            .into_iter()
            .filter_map(|(key, value)| Some(((key, self.decoder.string(value)?), value)))
            .unzip()
    }
}

fn owned(pairs: &[(&Node, String)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), value.clone()))
        .collect()
}

/// Where an unknown field of a rule was meant to be.
fn move_hint(name: &str) -> Option<String> {
    let under = match name {
        "severity" | "priority" | "team" | "service" | "owner" | "tier" | "env" | "environment" => {
            "labels"
        }
        "summary" | "description" | "message" | "runbook" | "runbook_url" | "dashboard"
        | "dashboard_url" | "title" => "annotations",
        _ => return None,
    };
    Some(format!("move `{name}` under `{under}:`"))
}

impl FileGroup {
    /// What the group is made of when it runs. `interval` and `query_offset` are the configuration's
    /// defaults.
    pub fn options(&self, file: &str, interval: Span, query_offset: Span) -> GroupOptions {
        self.options_of(file, interval, query_offset, &|_| true)
    }

    /// As [`options`](Self::options), with only those rules whose index `wanted` lets pass.
    pub fn options_of(
        &self,
        file: &str,
        interval: Span,
        query_offset: Span,
        wanted: &dyn Fn(usize) -> bool,
    ) -> GroupOptions {
        let rules = self.rules.iter().enumerate();
        GroupOptions {
            name: self.name.clone(),
            file: file.to_owned(),
            interval: if self.interval.is_zero() {
                interval
            } else {
                self.interval
            },
            query_offset: self.query_offset.unwrap_or(query_offset),
            limit: self.limit,
            rules: rules
                .filter(|(index, _)| wanted(*index))
                .map(|(_, rule)| self.rule(rule))
                .collect(),
        }
    }

    fn rule(&self, rule: &FileRule) -> Rule {
        let mut labels: Vec<(String, String)> = self
            .labels
            .iter()
            .filter(|(name, _)| !rule.labels.iter().any(|(own, _)| own == name))
            .cloned()
            .collect();
        labels.extend(rule.labels.iter().cloned());
        labels.sort();
        let query = rule.expr.to_string();
        match rule.kind {
            FileRuleKind::Recording => Rule::Recording(RecordingRule::new(RecordingRuleOptions {
                name: rule.name.clone(),
                expr: rule.expr.clone(),
                query,
                labels,
            })),
            FileRuleKind::Alerting => Rule::Alerting(AlertingRule::new(AlertingRuleOptions {
                name: rule.name.clone(),
                expr: rule.expr.clone(),
                query,
                hold: rule.hold,
                keep_firing_for: rule.keep_firing_for,
                labels,
                annotations: rule.annotations.clone(),
            })),
        }
    }
}

//! Writes what was got into a test file: only the expectations that failed change, comments and layout
//! stay.

mod write;

use std::ops::Range;

use crate::check::fix::Edit;
use crate::model::Labels;
use crate::promql::parser::parse_metric;
use crate::rules::unit_test::{Difference, Failure, ValueSeen};
use crate::text::yaml::{Kind, Node, Style, parse_first};

use super::TestReport;
use super::pairing::{Item, Pair, pairs, sides};
use write::{
    Fields, alert_fields, block_list, double_quoted, flow_list, number, quoted, sample_fields,
    single_quoted,
};

/// The text of a test file with what was got in the place of what was expected, and how many failures
/// it leaves as they are because nothing was got to be written.
///
/// The new text is a proposal: play it before trusting it, since a value that stands behind an alias is
/// written where its anchor stands.
pub fn updated(text: &str, report: &TestReport) -> (String, usize) {
    let Ok(document) = parse_first(text) else {
        return (text.to_owned(), 0);
    };
    let writer = Writer { text };
    let mut edits: Vec<Edit> = Vec::new();
    let mut left = 0;
    for failure in report.groups.iter().flat_map(|group| &group.failures) {
        let edit = failure.difference.as_ref().and_then(|difference| {
            let node = find(&document.root, failure)?;
            Some(writer.expectation(node, difference))
        });
        match edit {
            Some(edit) => edits.extend(edit),
            None => left += 1,
        }
    }
    (apply(text, edits), left)
}

/// The test at a failure's place.
fn find<'n>(root: &'n Node, failure: &Failure) -> Option<&'n Node> {
    let groups = root.entry("tests")?.as_sequence()?;
    let lists = groups.iter().flat_map(|group| {
        let kinds = ["alert_rule_test", "promql_expr_test"];
        kinds
            .into_iter()
            .filter_map(|kind| group.entry(kind)?.as_sequence())
    });
    let mut tests = lists.flatten();
    tests.find(|test| test.span.start.offset == failure.place.start.offset)
}

fn apply(text: &str, mut edits: Vec<Edit>) -> String {
    edits.sort_by_key(|edit| edit.bytes.start);
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for edit in edits {
        // Two tests behind one anchor want to write the same place: the first does.
        let Some(kept) = text.get(from..edit.bytes.start) else {
            continue;
        };
        out.push_str(kept);
        out.push_str(&edit.text);
        from = edit.bytes.end;
    }
    out.push_str(text.get(from..).unwrap_or_default());
    out
}

struct Writer<'t> {
    text: &'t str,
}

impl Writer<'_> {
    /// The edits of one test.
    fn expectation(&self, test: &Node, difference: &Difference) -> Vec<Edit> {
        let (field, items) = match difference {
            Difference::Alerts { got, .. } => {
                let items = got.iter().map(alert_fields).collect::<Vec<_>>();
                ("exp_alerts", items)
            }
            Difference::Samples { got, .. } => {
                let items = got.iter().map(sample_fields).collect::<Vec<_>>();
                ("exp_samples", items)
            }
        };
        let (_, got, fuzzy) = sides(difference);
        match test.entry(field) {
            Some(list) if self.is_block(list) && !items.is_empty() => {
                self.block_list(test, list, &got, &items, fuzzy)
            }
            Some(list) => {
                let text = self.fresh_list(test, list, &items);
                vec![Edit {
                    bytes: list.span.start.offset..self.end(list).max(list.span.start.offset),
                    text,
                }]
            }
            None => self.new_field(test, field, &items),
        }
    }

    /// A list in block style, item by item.
    fn block_list(
        &self,
        test: &Node,
        list: &Node,
        got: &[Item],
        fields: &[Fields],
        fuzzy: bool,
    ) -> Vec<Edit> {
        let nodes = list.as_sequence().unwrap_or_default();
        let alertname = test.entry("alertname").and_then(Node::as_str);
        let written: Vec<Item> = nodes.iter().map(|node| item_of(node, alertname)).collect();
        let indent = nodes.first().map_or(0, |first| self.dash_column(first));
        let mut edits = Vec::new();
        let mut end = self.end(list);
        for pair in pairs(&written, got, fuzzy) {
            match pair {
                Pair::Same(..) => {}
                Pair::Changed(at, of) => {
                    let node = &nodes[at];
                    match self.values(node, &written[at], &got[of]) {
                        Some(values) => edits.extend(values),
                        None => edits.push(Edit {
                            bytes: node.span.start.offset..self.end(node),
                            text: if self.is_block(node) {
                                fields[of].block(indent + 2, self.has_flow_maps(node))
                            } else {
                                fields[of].flow()
                            },
                        }),
                    }
                }
                Pair::Missing(at) => {
                    let bytes = self.lines_of(&nodes[at]);
                    end = if at + 1 == nodes.len() {
                        bytes.start
                    } else {
                        end
                    };
                    edits.push(Edit {
                        bytes,
                        text: String::new(),
                    });
                }
                Pair::Unexpected(of) => {
                    let dash = format!(
                        "\n{}- {}",
                        " ".repeat(indent),
                        fields[of].block(indent + 2, false)
                    );
                    edits.push(Edit {
                        bytes: end..end,
                        text: dash,
                    });
                }
            }
        }
        edits
    }

    /// New values for an item whose labels and annotations keep their names.
    fn values(&self, node: &Node, written: &Item, got: &Item) -> Option<Vec<Edit>> {
        let names = |labels: &Labels| labels.iter().map(|(n, _)| n.to_owned()).collect::<Vec<_>>();
        if names(&written.annotations) != names(&got.annotations) {
            return None;
        }
        let mut edits = Vec::new();
        if let Some(value) = &got.value {
            if written.labels != got.labels {
                return None;
            }
            let (field, text) = match value {
                ValueSeen::Float(v) => ("value", number(*v)),
                ValueSeen::Histogram(text) => ("histogram", text.clone()),
            };
            edits.push(self.scalar(node.entry(field)?, &text, value_is_number(value)));
            return Some(edits);
        }
        if names(&written.labels) != names(&got.labels) {
            return None;
        }
        for (field, before, after) in [
            ("exp_labels", &written.labels, &got.labels),
            ("exp_annotations", &written.annotations, &got.annotations),
        ] {
            for (name, value) in after {
                if before.get(name) != Some(value) {
                    edits.push(self.scalar(node.entry(field)?.entry(name)?, value, false));
                }
            }
        }
        Some(edits)
    }

    /// A new value in the style of the old one.
    fn scalar(&self, node: &Node, value: &str, as_is: bool) -> Edit {
        let text = match node.style() {
            _ if as_is => value.to_owned(),
            Some(Style::SingleQuoted) if !value.contains(['\n', '\t']) => single_quoted(value),
            Some(Style::DoubleQuoted) => double_quoted(value),
            _ => quoted(value),
        };
        Edit {
            bytes: node.span.start.offset..self.end(node),
            text,
        }
    }

    /// A whole list where there was none, or an empty one, or one in flow style.
    fn fresh_list(&self, test: &Node, list: &Node, items: &[Fields]) -> String {
        let null = list.is_null() && list.span.start.offset == self.end(list);
        let space = if null { " " } else { "" };
        if items.is_empty() {
            return format!("{space}[]");
        }
        let had_items = list.as_sequence().is_some_and(|items| !items.is_empty());
        if had_items || !self.is_block(test) {
            return format!("{space}{}", flow_list(items));
        }
        let indent = test.span.start.column.saturating_sub(1);
        block_list(items, indent)
    }

    fn new_field(&self, test: &Node, field: &str, items: &[Fields]) -> Vec<Edit> {
        if items.is_empty() {
            return Vec::new();
        }
        let end = self.end(test);
        if self.is_block(test) {
            let indent = test.span.start.column.saturating_sub(1);
            let text = format!(
                "\n{}{field}:{}",
                " ".repeat(indent),
                block_list(items, indent)
            );
            return vec![Edit {
                bytes: end..end,
                text,
            }];
        }
        let brace = end.saturating_sub(1);
        vec![Edit {
            bytes: brace..brace,
            text: format!(", {field}: {}", flow_list(items)),
        }]
    }

    /// Whether a collection is written in block style.
    fn is_block(&self, node: &Node) -> bool {
        let first = match &node.kind {
            Kind::Scalar { .. } => return false,
            Kind::Sequence(items) => items.first(),
            Kind::Mapping(entries) => entries.first().map(|entry| &entry.key),
        };
        // A list whose dashes are not indented begins where its first item does, brackets or not.
        first.is_some_and(|first| first.span.start == node.span.start)
            || !self
                .text
                .get(node.span.start.offset..)
                .unwrap_or_default()
                .starts_with(['[', '{'])
    }

    /// Where a node's own text ends: block collections end with their last part.
    fn end(&self, node: &Node) -> usize {
        let last = match &node.kind {
            _ if !self.is_block(node) => None,
            Kind::Scalar { .. } => None,
            Kind::Sequence(items) => items.last(),
            Kind::Mapping(entries) => entries.last().map(|entry| &entry.value),
        };
        match last {
            Some(last) => self.end(last).max(node.span.start.offset),
            None => node.span.end.offset,
        }
    }

    /// Whether a field of an item in block style is written in flow style.
    fn has_flow_maps(&self, item: &Node) -> bool {
        let entries = item.as_mapping().unwrap_or_default().iter();
        let mut maps = entries.filter(|entry| entry.value.as_mapping().is_some());
        maps.any(|entry| !self.is_block(&entry.value))
    }

    /// How many characters stand before the dash of an item.
    fn dash_column(&self, item: &Node) -> usize {
        let range = self.lines_of(item);
        let line = self.text.get(range.start..).unwrap_or_default();
        let line = line.strip_prefix('\n').unwrap_or(line);
        line.chars().take_while(|c| *c == ' ').count()
    }

    /// The lines of an item of a block list, from the line break before its dash.
    fn lines_of(&self, item: &Node) -> Range<usize> {
        let before = &self.text[..item.span.start.offset.min(self.text.len())];
        let dash = before.rfind('-').unwrap_or(before.len());
        let start = before[..dash].rfind('\n').unwrap_or(dash);
        start..self.end(item)
    }
}

/// What an item of the file expects, as far as it can be told.
fn item_of(node: &Node, alertname: Option<&str>) -> Item {
    let map = |field: &str| {
        let entries = node.entry(field).and_then(Node::as_mapping);
        let pairs = entries.unwrap_or_default().iter();
        pairs
            .filter_map(|entry| Some((entry.key.as_str()?, entry.value.as_str()?)))
            .collect::<Vec<_>>()
    };
    let text = |field: &str| node.entry(field).and_then(Node::as_str);
    let Some(alertname) = alertname else {
        let value = match text("histogram").filter(|text| !text.is_empty()) {
            Some(histogram) => ValueSeen::Histogram(histogram.to_owned()),
            None => ValueSeen::Float(number_of(text("value"))),
        };
        return Item {
            labels: parse_metric(text("labels").unwrap_or_default()).unwrap_or_default(),
            annotations: Labels::empty(),
            value: Some(value),
        };
    };
    let mut labels = map("exp_labels");
    labels.retain(|(name, _)| *name != "alertname");
    labels.push(("alertname", alertname));
    Item {
        labels: labels.into_iter().collect(),
        annotations: map("exp_annotations").into_iter().collect(),
        value: None,
    }
}

fn number_of(text: Option<&str>) -> f64 {
    match text.unwrap_or("0").trim_start_matches('+') {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        "-.inf" | "-.Inf" | "-.INF" => f64::NEG_INFINITY,
        ".nan" | ".NaN" | ".NAN" => f64::NAN,
        text => text.replace('_', "").parse().unwrap_or(f64::NAN),
    }
}

const fn value_is_number(value: &ValueSeen) -> bool {
    matches!(value, ValueSeen::Float(_))
}

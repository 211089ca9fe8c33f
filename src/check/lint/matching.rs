use std::collections::BTreeSet;

use crate::check::analysis::LabelFlow;
use crate::check::{Finding, Severity};
use crate::promql::ast::{
    AggregateExpr, BinaryExpr, BinaryOp, Expr, VectorMatchCardinality, VectorMatching,
};

use super::Page;
use super::subject::{Subject, World};

pub(super) static NO_MATCH: Page = Page::new(
    "W018",
    "vector-matching",
    Severity::Warning,
    "The two sides of an operator can never have the same labels, so there is never a result.",
)
.pint("promql/vector_matching")
.why("Series of both sides find each other by their labels: by all of them, or by those that `on` names or `ignoring` leaves. When one side has a label that the other side cannot have, or both have it with other values, nothing matches: the alert never fires.")
.example(
    "expr: sum by (job) (a) / sum by (instance) (b) > 1",
    "expr: sum by (job) (a) / sum by (job) (b) > 1",
);

pub(super) static LABEL_GONE: Page = Page::new(
    "W019",
    "label-gone",
    Severity::Warning,
    "An expression names a label that was taken away before.",
)
.pint("promql/impossible")
.why("An aggregation keeps only the labels that it names. A `by`, `on` or `group_left` further out that names another one finds it empty everywhere: groups fall together, or nothing matches.")
.example(
    "expr: sum by (namespace, pod) (sum by (namespace) (a)) > 1",
    "expr: sum by (namespace) (a) > 1",
);

pub(super) fn check(_: &World<'_>, subject: &Subject<'_>, out: &mut Vec<Finding>) {
    for expr in subject.analysis.nodes() {
        match expr {
            Expr::Aggregate(aggregate) if !aggregate.without => grouping(subject, aggregate, out),
            Expr::Binary(binary) => {
                if let Some(matching) = &binary.matching {
                    sides(subject, binary, matching, out);
                }
            }
            _ => {}
        }
    }
}

fn grouping(subject: &Subject<'_>, aggregate: &AggregateExpr, out: &mut Vec<Finding>) {
    let inner = &subject.analysis.of(&aggregate.expr).labels;
    for label in aggregate
        .grouping
        .iter()
        .filter(|label| !inner.can_have(label))
    {
        let message = format!(
            "`by ({label})` groups by a label that is gone{}",
            lost(subject, inner, label)
        );
        let finding = subject.on_expr(&LABEL_GONE, aggregate.pos, message);
        out.push(finding.with_hint(format!(
            "keep `{label}` in the inner expression, or take it out of `by`"
        )));
    }
}

fn lost(subject: &Subject<'_>, labels: &LabelFlow, label: &str) -> String {
    match labels.lost_at(label) {
        Some(at) if at.end > at.start => {
            let text = subject.text(at);
            let line = text.lines().next().unwrap_or_default();
            let cut = line.floor_char_boundary(60);
            let dots = if cut < text.len() { "..." } else { "" };
            format!(": `{}{dots}` took it away", &line[..cut])
        }
        _ => String::new(),
    }
}

fn sides(
    subject: &Subject<'_>,
    binary: &BinaryExpr,
    matching: &VectorMatching,
    out: &mut Vec<Finding>,
) {
    if binary.op == BinaryOp::Or {
        return;
    }
    let lhs = &subject.analysis.of(&binary.lhs).labels;
    let rhs = &subject.analysis.of(&binary.rhs).labels;
    let filled = matching.fill.lhs.is_some() || matching.fill.rhs.is_some();
    if filled {
        return;
    }
    if let Some(why) = mismatch(lhs, rhs, matching) {
        let effect = if binary.op == BinaryOp::Unless {
            "so `unless` never takes anything away"
        } else {
            "so there is never a result"
        };
        let finding = subject.on_expr(&NO_MATCH, binary.op_pos, format!("{why}, {effect}"));
        out.push(finding.with_hint("name the labels that both sides share with `on (...)`, or aggregate both sides by the same labels"));
        return;
    }
    let both_lack = |label: &&String| !lhs.can_have(label) && !rhs.can_have(label);
    if matching.on {
        for label in matching.labels.iter().filter(both_lack) {
            let message = format!(
                "`on ({label})` names a label that is gone on both sides{}",
                lost(subject, lhs, label)
            );
            out.push(subject.on_expr(&LABEL_GONE, binary.op_pos, message));
        }
    }
    let one = match matching.card {
        VectorMatchCardinality::ManyToOne => rhs,
        VectorMatchCardinality::OneToMany => lhs,
        _ => return,
    };
    for label in matching.include.iter().filter(|label| !one.can_have(label)) {
        let message = format!(
            "the label `{label}` to be taken over is gone on that side{}",
            lost(subject, one, label)
        );
        out.push(subject.on_expr(&LABEL_GONE, binary.op_pos, message));
    }
}

/// Why no series of one side has a partner on the other.
fn mismatch(lhs: &LabelFlow, rhs: &LabelFlow, matching: &VectorMatching) -> Option<String> {
    let decides = |label: &str| matching.labels.iter().any(|named| named == label) == matching.on;
    let named: BTreeSet<&String> = lhs.expected.iter().chain(&rhs.expected).collect();
    for label in named.into_iter().filter(|label| decides(label)) {
        for (has, lacks, has_side, lacks_side) in
            [(lhs, rhs, "left", "right"), (rhs, lhs, "right", "left")]
        {
            // Who names a label in `by` expects it; who selects by it is sure of it.
            if has.expected.contains(label) && !lacks.can_have(label) {
                return Some(format!(
                    "the {has_side} side has the label `{label}`, the {lacks_side} side cannot have it"
                ));
            }
        }
    }
    for (label, value) in lhs.fixed.iter().filter(|(label, _)| decides(label)) {
        if let Some(other) = rhs.fixed.get(label).filter(|other| *other != value) {
            return Some(format!(
                "`{label}` is `{value}` on the left side and `{other}` on the right"
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use crate::check::lint::testing::{assert_finds, assert_silent};

    #[test]
    fn sides_that_never_match() {
        assert_finds(
            "W018",
            &[
                "sum by (job) (a) / sum by (instance) (b) > 1",
                "sum by (job) (a) / sum(b) > 1",
                "a{job=\"x\"} / b{job=\"y\"} > 1",
                "sum by (x) (a) > 1 and on (y) sum by (x) (b{y=\"1\"}) > 2 or sum by (x) (a) > on (y) b{y=\"1\"}",
                "a > 1 unless sum by (job) (b{job=\"1\"}) * on () group_left() c{job=\"2\"} and a{x=\"1\"} > sum(a)",
                "up{job=\"x\"} == 0 and absent(a)",
            ],
        );
        assert_silent(
            "W018",
            &[
                "sum by (job) (a) / sum by (job) (b) > 1",
                "sum by (job) (a) / on () group_left () sum(b) > 1",
                "sum by (job) (a) / ignoring (job) group_left () sum(b) > 1",
                "a{job=\"x\"} / on (instance) b{job=\"y\"} > 1",
                "a{job=\"x\"} / ignoring (job) b{job=\"y\"} > 1",
                "a{x=\"1\"} / a > 1",
                "sum by (a) (x) or sum by (b) (y) > 1",
                "up == 0 and on () absent(a)",
            ],
        );
    }

    #[test]
    fn labels_that_are_gone() {
        assert_finds(
            "W019",
            &[
                "sum by (a, b) (sum by (a) (x)) > 1",
                "sum by (le) (histogram_quantile(0.9, a_bucket)) > 1",
                "a * on (x) group_left (y) sum by (x) (b) > 1",
                "sum by (a) (x) * on (c) sum by (b) (y) > 1",
            ],
        );
        assert_silent(
            "W019",
            &[
                "sum by (a) (sum by (a, b) (x)) > 1",
                "sum by (a) (x) > 1",
                "a * on (x) group_left (y) sum by (x, y) (b) > 1",
                "sum by (a) (label_replace(sum(x), \"a\", \"b\", \"\", \"\")) > 1",
            ],
        );
    }
}

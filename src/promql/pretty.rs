//! How does a long query read over several lines? Upstream's formatter, as `format_query` uses it.

use std::fmt::Write as _;

use crate::promql::ast::{AggregateExpr, BinaryExpr, Call, Expr};

use super::printer::{aggregate_head, operator_with_modifiers, subquery_suffix, would_go_on};

/// A node whose one-line form is longer than this is split.
const MAX_LINE: usize = 100;

/// Splits nodes that are longer than 100 bytes over lines, two blanks per level.
pub fn pretty(expr: &Expr) -> String {
    let mut out = String::new();
    write_pretty(expr, 0, &mut out);
    out
}

fn write_pretty(expr: &Expr, level: usize, out: &mut String) {
    let split = is_long(expr);
    match expr {
        // compat: a split subquery's expression indents itself; a short one is not indented at all.
        Expr::Subquery(subquery) => {
            if split {
                write_pretty(&subquery.expr, level, out);
                out.push_str(&subquery_suffix(subquery));
            } else {
                out.push_str(&expr.to_string());
            }
        }
        Expr::Unary(unary) => {
            indent(level, out);
            out.push_str(unary.op.as_str());
            let mut inner = String::new();
            write_pretty(&unary.expr, level, &mut inner);
            out.push_str(inner.trim());
        }
        Expr::Aggregate(aggregate) if split => write_aggregate(aggregate, level, out),
        Expr::Binary(binary) if split => write_binary(binary, level, out),
        Expr::Call(call) if split && !call.args.is_empty() => write_call(call, level, out),
        Expr::Paren(paren) if split => {
            indent(level, out);
            out.push_str("(\n");
            write_pretty(&paren.expr, level + 1, out);
            close(level, out);
        }
        _ => {
            indent(level, out);
            out.push_str(&expr.to_string());
        }
    }
}

fn write_aggregate(aggregate: &AggregateExpr, level: usize, out: &mut String) {
    indent(level, out);
    out.push_str(&aggregate_head(aggregate));
    out.push_str("(\n");
    if let Some(param) = &aggregate.param {
        write_pretty(param, level + 1, out);
        out.push_str(",\n");
    }
    write_pretty(&aggregate.expr, level + 1, out);
    close(level, out);
}

fn write_binary(binary: &BinaryExpr, level: usize, out: &mut String) {
    if would_go_on(binary) {
        indent(level + 1, out);
        let _ = write!(out, "({})", binary.lhs);
    } else {
        write_pretty(&binary.lhs, level + 1, out);
    }
    out.push('\n');
    indent(level, out);
    out.push_str(&operator_with_modifiers(binary));
    out.push('\n');
    write_pretty(&binary.rhs, level + 1, out);
}

fn write_call(call: &Call, level: usize, out: &mut String) {
    indent(level, out);
    out.push_str(call.func.name);
    out.push_str("(\n");
    for (at, arg) in call.args.iter().enumerate() {
        if at > 0 {
            out.push_str(",\n");
        }
        write_pretty(arg, level + 1, out);
    }
    close(level, out);
}

fn close(level: usize, out: &mut String) {
    out.push('\n');
    indent(level, out);
    out.push(')');
}

fn indent(level: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", level));
}

/// Whether the one-line form is too long, without printing more of it than that takes.
fn is_long(expr: &Expr) -> bool {
    struct Counter(usize);
    impl std::fmt::Write for Counter {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0 += text.len();
            if self.0 > MAX_LINE {
                Err(std::fmt::Error)
            } else {
                Ok(())
            }
        }
    }
    std::fmt::write(&mut Counter(0), format_args!("{expr}")).is_err()
}

#[cfg(test)]
mod tests {
    use crate::promql::parser::{ParseOptions, parse};

    use super::pretty;

    #[test]
    fn long_queries_are_split_and_still_mean_the_same() {
        let text = "sum by (job, mode) (rate(node_cpu_seconds_total{job=\"node\",mode!=\"idle\",instance=~\"a.*\",zone=\"eu-1\"}[5m])) / on (job) group_left () topk(5, count by (job) (up))";
        let parsed = parse(text, &ParseOptions::all()).expect("valid");
        let split = pretty(&parsed);
        assert_eq!(
            split,
            "  sum by (job, mode) (\n    rate(node_cpu_seconds_total{instance=~\"a.*\",job=\"node\",mode!=\"idle\",zone=\"eu-1\"}[5m])\n  )\n/ on (job) group_left ()\n  topk(5, count by (job) (up))"
        );
        let again = parse(&split, &ParseOptions::all()).expect("valid");
        assert_eq!(again.to_string(), parsed.to_string());
    }

    #[test]
    fn short_queries_stay_in_one_line() {
        let parsed = parse("rate( a [5m] )", &ParseOptions::all()).expect("valid");
        assert_eq!(pretty(&parsed), "rate(a[5m])");
    }
}

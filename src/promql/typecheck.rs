//! Do the parts of a query fit together? Checks a parsed tree and settles what depends on types: which
//! binary operations match series, and that set operators match many to many.

use crate::model::{METRIC_NAME, Matcher};
use crate::promql::ast::{
    AggregateExpr, AggregateOp, BinaryExpr, Call, Expr, PosRange, ValueType,
    VectorMatchCardinality, VectorSelector,
};
use crate::promql::parser::ParseError;
use crate::text::quote::quote;

/// Checks `expr`, which came from `text`. Gives every error found, children's before their parents'.
pub(crate) fn check(expr: &mut Expr, text: &[u8]) -> Vec<ParseError> {
    let mut checker = Checker {
        text,
        errors: Vec::new(),
    };
    checker.check(expr);
    checker.errors
}

/// More errors than this in one text help nobody.
const MAX_ERRORS: usize = 100;

struct Checker<'a> {
    text: &'a [u8],
    errors: Vec<ParseError>,
}

impl Checker<'_> {
    fn report(&mut self, pos: PosRange, message: impl Into<String>) {
        if self.errors.len() < MAX_ERRORS {
            self.errors.push(ParseError::new(self.text, pos, message));
        }
    }

    fn check(&mut self, expr: &mut Expr) -> ValueType {
        match expr {
            Expr::Number(_) | Expr::String(_) => {}
            Expr::VectorSelector(selector) => self.check_selector(selector),
            Expr::MatrixSelector(matrix) => self.check_selector(&matrix.selector),
            Expr::Paren(paren) => {
                return self.check(&mut paren.expr);
            }
            Expr::Subquery(subquery) => {
                let found = self.check(&mut subquery.expr);
                if found != ValueType::Vector {
                    self.report(
                        subquery.pos,
                        format!("subquery is only allowed on instant vector, got {found} instead"),
                    );
                }
            }
            Expr::Unary(unary) => {
                let found = self.check(&mut unary.expr);
                if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                    self.report(
                        unary.pos,
                        format!(
                            "unary expression only allowed on expressions of type scalar or instant vector, got \"{}\"",
                            found.documented()
                        ),
                    );
                }
                return found;
            }
            Expr::Aggregate(aggregate) => self.check_aggregate(aggregate),
            Expr::Call(call) => self.check_call(call),
            Expr::Binary(binary) => return self.check_binary(binary),
        }
        expr.value_type()
    }

    fn check_selector(&mut self, selector: &VectorSelector) {
        if !selector.name.is_empty() {
            let others = selector.matchers.split_last().map_or(&[][..], |(_, o)| o);
            for matcher in others.iter().filter(|m| m.name == METRIC_NAME) {
                self.report(
                    selector.pos,
                    format!(
                        "metric name must not be set twice: {} or {}",
                        quote(&selector.name),
                        quote(&matcher.value)
                    ),
                );
            }
            return;
        }
        // compat: selecting every series there is would rather be a typo.
        if !selector.may_match_empty && selector.matchers.iter().all(Matcher::matches_empty) {
            self.report(
                selector.pos,
                "vector selector must contain at least one non-empty matcher",
            );
        }
    }

    fn expect_type(&mut self, expr: &mut Expr, wanted: ValueType, context: &str) {
        let found = self.check(expr);
        if found != wanted {
            self.report(
                expr.pos(),
                format!(
                    "expected type {} in {context}, got {}",
                    wanted.documented(),
                    found.documented()
                ),
            );
        }
    }

    fn check_aggregate(&mut self, aggregate: &mut AggregateExpr) {
        self.expect_type(
            &mut aggregate.expr,
            ValueType::Vector,
            "aggregation expression",
        );
        if let Some(param) = &mut aggregate.param {
            let wanted = if aggregate.op == AggregateOp::CountValues {
                ValueType::String
            } else {
                ValueType::Scalar
            };
            self.expect_type(param, wanted, "aggregation parameter");
        }
    }

    fn check_call(&mut self, call: &mut Call) {
        let func = call.func;
        let found = call.args.len();
        let (fewest, most) = (func.min_args(), func.max_args());
        let problem = if func.variadic == 0 && found != fewest {
            Some(format!("expected {fewest}"))
        } else if found < fewest {
            Some(format!("expected at least {fewest}"))
        } else {
            most.filter(|most| found > *most)
                .map(|most| format!("expected at most {most}"))
        };
        if let Some(problem) = problem {
            self.report(
                call.pos,
                format!(
                    "{problem} argument(s) in call to \"{}\", got {found}",
                    func.name
                ),
            );
        }
        if func.name == "info" {
            self.check_info_selector(call);
        }
        for (at, arg) in call.args.iter_mut().enumerate() {
            let wanted = match func.arg_types.get(at) {
                Some(wanted) => *wanted,
                None if func.variadic == 0 => break,
                None => match func.arg_types.last() {
                    Some(wanted) => *wanted,
                    None => break,
                },
            };
            self.expect_type(arg, wanted, &format!("call to function \"{}\"", func.name));
        }
    }

    /// The second argument of `info` is a selector without a name.
    fn check_info_selector(&mut self, call: &mut Call) {
        let Some(arg) = call.args.get_mut(1) else {
            return;
        };
        let found = arg.value_type();
        if found != ValueType::Vector {
            self.report(
                call.pos,
                format!(
                    "expected type instant vector in call to function \"info\", got {}",
                    found.documented()
                ),
            );
        }
        match arg {
            Expr::VectorSelector(selector) if selector.name.is_empty() => {
                selector.may_match_empty = true;
            }
            Expr::VectorSelector(selector) => {
                self.report(
                    selector.pos,
                    "expected label selectors only, got vector selector instead",
                );
            }
            other => self.report(other.pos(), "expected label selectors only"),
        }
    }

    fn check_binary(&mut self, binary: &mut BinaryExpr) -> ValueType {
        let left = self.check(&mut binary.lhs);
        let right = self.check(&mut binary.rhs);
        let op = binary.op;
        let scalars = left == ValueType::Scalar && right == ValueType::Scalar;
        // compat: upstream's range of an operator ends before its last byte.
        let op_pos = PosRange::new(binary.op_pos.start, binary.op_pos.end.saturating_sub(1));
        if binary.return_bool && !op.is_comparison() {
            self.report(
                op_pos,
                "bool modifier can only be used on comparison operators",
            );
        }
        if op.is_comparison() && !binary.return_bool && scalars {
            self.report(op_pos, "comparisons between scalars must use BOOL modifier");
        }
        if let Some(matching) = &mut binary.matching {
            if op.is_set() && matching.card == VectorMatchCardinality::OneToOne {
                matching.card = VectorMatchCardinality::ManyToMany;
            }
            if matching.on {
                for label in &matching.labels {
                    for _ in matching.include.iter().filter(|l| *l == label) {
                        self.report(
                            op_pos,
                            format!(
                                "label {} must not occur in ON and GROUP clause at once",
                                quote(label)
                            ),
                        );
                    }
                }
            }
        }
        for (side, found) in [(&binary.lhs, left), (&binary.rhs, right)] {
            if !matches!(found, ValueType::Scalar | ValueType::Vector) {
                self.report(
                    side.pos(),
                    "binary expression must contain only scalar and instant vector types",
                );
            }
        }
        self.check_matching(binary, left, right);
        if (left == ValueType::Scalar || right == ValueType::Scalar) && op.is_set() {
            self.report(
                binary.pos(),
                format!("set operator \"{op}\" not allowed in binary scalar expression"),
            );
        }
        if scalars {
            ValueType::Scalar
        } else {
            ValueType::Vector
        }
    }

    fn check_matching(&mut self, binary: &mut BinaryExpr, left: ValueType, right: ValueType) {
        let Some(matching) = &binary.matching else {
            return;
        };
        let pos = binary.pos();
        let has_fill = matching.fill.lhs.is_some() || matching.fill.rhs.is_some();
        if left != ValueType::Vector || right != ValueType::Vector {
            if !matching.labels.is_empty() {
                self.report(pos, "vector matching only allowed between instant vectors");
            }
            if has_fill {
                self.report(
                    pos,
                    "filling in missing series only allowed between instant vectors",
                );
            }
            binary.matching = None;
        } else if binary.op.is_set() {
            if matching.card != VectorMatchCardinality::ManyToMany {
                self.report(
                    pos,
                    format!("no grouping allowed for \"{}\" operation", binary.op),
                );
                self.report(pos, "set operations must always be many-to-many");
            }
            if has_fill {
                self.report(
                    pos,
                    "filling in missing series not allowed for set operators",
                );
            }
        }
    }
}

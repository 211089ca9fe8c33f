use super::Expr;

impl Expr {
    /// The expressions directly below this one, in upstream's order (an aggregation's expression
    /// comes before its parameter). A matrix selector's series are part of it, not below it.
    pub fn children(&self) -> Vec<&Self> {
        match self {
            Self::Number(_)
            | Self::String(_)
            | Self::VectorSelector(_)
            | Self::MatrixSelector(_) => Vec::new(),
            Self::Subquery(subquery) => vec![&*subquery.expr],
            Self::Call(call) => call.args.iter().collect(),
            Self::Binary(binary) => vec![&*binary.lhs, &*binary.rhs],
            Self::Unary(unary) => vec![&*unary.expr],
            Self::Paren(paren) => vec![&*paren.expr],
            Self::Aggregate(aggregate) => {
                let mut children = vec![&*aggregate.expr];
                children.extend(aggregate.param.as_deref());
                children
            }
        }
    }

    /// The same, to change them.
    pub fn children_mut(&mut self) -> Vec<&mut Self> {
        match self {
            Self::Number(_)
            | Self::String(_)
            | Self::VectorSelector(_)
            | Self::MatrixSelector(_) => Vec::new(),
            Self::Subquery(subquery) => vec![&mut *subquery.expr],
            Self::Call(call) => call.args.iter_mut().collect(),
            Self::Binary(binary) => vec![&mut *binary.lhs, &mut *binary.rhs],
            Self::Unary(unary) => vec![&mut *unary.expr],
            Self::Paren(paren) => vec![&mut *paren.expr],
            Self::Aggregate(aggregate) => {
                let mut children = vec![&mut *aggregate.expr];
                children.extend(aggregate.param.as_deref_mut());
                children
            }
        }
    }

    /// Shows every node to `see`, parents before children, without recursion.
    pub fn walk<'a>(&'a self, mut see: impl FnMut(&'a Self)) {
        let mut open = vec![self];
        while let Some(expr) = open.pop() {
            see(expr);
            open.extend(expr.children().into_iter().rev());
        }
    }
}

//! The tree of a query as JSON, which `/api/v1/parse_query` answers and tree views draw.

use serde_json::{Value, json};

use crate::model::Matcher;
use crate::promql::ast::{At, Expr, ValueType, VectorMatching, VectorSelector};
use crate::text::gofmt;

/// The tree, byte for byte as upstream writes it: fields in the order of their names.
pub fn to_json(expr: &Expr) -> String {
    let mut out = String::new();
    // A list of what is still to be written instead of recursion: trees may be high.
    let mut open = vec![Piece::Tree(expr)];
    while let Some(piece) = open.pop() {
        match piece {
            Piece::Text(text) => out.push_str(&text),
            Piece::Tree(expr) => {
                let pieces = pieces(expr);
                open.extend(pieces.into_iter().rev());
            }
        }
    }
    super::json::without_html(&out)
}

enum Piece<'a> {
    Text(String),
    Tree(&'a Expr),
}

fn text<'a>(text: impl Into<String>) -> Piece<'a> {
    Piece::Text(text.into())
}

fn pieces(expr: &Expr) -> Vec<Piece<'_>> {
    match expr {
        Expr::Number(number) => vec![text(
            json!({ "type": "numberLiteral", "val": gofmt::float_f(number.value) }).to_string(),
        )],
        Expr::String(string) => vec![text(
            json!({ "type": "stringLiteral", "val": string.value }).to_string(),
        )],
        Expr::VectorSelector(selector) => {
            vec![text(self::selector(selector, None).to_string())]
        }
        Expr::MatrixSelector(matrix) => {
            let range = Some(matrix.range.as_ms());
            vec![text(selector(&matrix.selector, range).to_string())]
        }
        Expr::Subquery(subquery) => vec![
            text("{\"expr\":"),
            Piece::Tree(&subquery.expr),
            text(format!(
                ",\"offset\":{},\"range\":{},\"startOrEnd\":{},\"step\":{},\"timestamp\":{},\"type\":\"subquery\"}}",
                subquery.offset.as_ms(),
                subquery.range.as_ms(),
                start_or_end(subquery.at),
                subquery.step.as_ms(),
                timestamp(subquery.at),
            )),
        ],
        Expr::Call(call) => {
            let mut pieces = vec![text("{\"args\":[")];
            for (at, arg) in call.args.iter().enumerate() {
                if at > 0 {
                    pieces.push(text(","));
                }
                pieces.push(Piece::Tree(arg));
            }
            let types: Vec<&str> = call.func.arg_types.iter().map(|t| t.as_str()).collect();
            let func = json!({
                "argTypes": types,
                "name": call.func.name,
                "returnType": ValueType::as_str(call.func.return_type),
                "variadic": call.func.variadic,
            });
            pieces.push(text(format!("],\"func\":{func},\"type\":\"call\"}}")));
            pieces
        }
        Expr::Binary(binary) => vec![
            text(format!("{{\"bool\":{},\"lhs\":", binary.return_bool)),
            Piece::Tree(&binary.lhs),
            text(format!(
                ",\"matching\":{},\"op\":{},\"rhs\":",
                matching(binary.matching.as_ref()),
                json!(binary.op.as_str())
            )),
            Piece::Tree(&binary.rhs),
            text(",\"type\":\"binaryExpr\"}"),
        ],
        Expr::Unary(unary) => vec![
            text("{\"expr\":"),
            Piece::Tree(&unary.expr),
            text(format!(
                ",\"op\":\"{}\",\"type\":\"unaryExpr\"}}",
                unary.op.as_str()
            )),
        ],
        Expr::Paren(paren) => vec![
            text("{\"expr\":"),
            Piece::Tree(&paren.expr),
            text(",\"type\":\"parenExpr\"}"),
        ],
        Expr::Aggregate(aggregate) => vec![
            text("{\"expr\":"),
            Piece::Tree(&aggregate.expr),
            text(format!(
                ",\"grouping\":{},\"op\":\"{}\",\"param\":",
                json!(aggregate.grouping),
                aggregate.op
            )),
            aggregate
                .param
                .as_deref()
                .map_or_else(|| text("null"), Piece::Tree),
            text(format!(
                ",\"type\":\"aggregation\",\"without\":{}}}",
                aggregate.without
            )),
        ],
    }
}

/// A selector, of ranges when there is one.
fn selector(selector: &VectorSelector, range_ms: Option<i64>) -> Value {
    let matchers: Vec<Value> = selector.matchers.iter().map(matcher).collect();
    let mut fields = json!({
        "anchored": selector.anchored,
        "matchers": matchers,
        "name": selector.name,
        "offset": selector.offset.as_ms(),
    });
    if let Some(range_ms) = range_ms {
        fields["range"] = json!(range_ms);
    }
    fields["smoothed"] = json!(selector.smoothed);
    fields["startOrEnd"] = start_or_end(selector.at);
    fields["timestamp"] = timestamp(selector.at);
    fields["type"] = json!(if range_ms.is_some() {
        "matrixSelector"
    } else {
        "vectorSelector"
    });
    fields
}

fn matcher(matcher: &Matcher) -> Value {
    json!({ "name": matcher.name, "type": matcher.op.as_str(), "value": matcher.value })
}

fn matching(matching: Option<&VectorMatching>) -> Value {
    let Some(matching) = matching else {
        return Value::Null;
    };
    json!({
        "card": matching.card.as_str(),
        "fillValues": { "lhs": matching.fill.lhs, "rhs": matching.fill.rhs },
        "include": matching.include,
        "labels": matching.labels,
        "on": matching.on,
    })
}

fn start_or_end(at: Option<At>) -> Value {
    match at {
        Some(At::Start) => json!("start"),
        Some(At::End) => json!("end"),
        Some(At::Time(_)) | None => Value::Null,
    }
}

fn timestamp(at: Option<At>) -> Value {
    match at {
        Some(At::Time(time)) => json!(time.as_ms()),
        Some(At::Start | At::End) | None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use crate::promql::parser::{ParseOptions, parse};

    fn tree(text: &str) -> String {
        super::to_json(&parse(text, &ParseOptions::all()).expect("a good query"))
    }

    #[test]
    fn trees_read_as_upstream_writes_them() {
        assert_eq!(
            tree("a{b=~\"c\"}[5m] offset -1m @ 2.5"),
            r#"{"anchored":false,"matchers":[{"name":"b","type":"=~","value":"c"},{"name":"__name__","type":"=","value":"a"}],"name":"a","offset":-60000,"range":300000,"smoothed":false,"startOrEnd":null,"timestamp":2500,"type":"matrixSelector"}"#
        );
        assert_eq!(
            tree("-(1) + 2"),
            r#"{"bool":false,"lhs":{"expr":{"expr":{"type":"numberLiteral","val":"1"},"type":"parenExpr"},"op":"-","type":"unaryExpr"},"matching":null,"op":"+","rhs":{"type":"numberLiteral","val":"2"},"type":"binaryExpr"}"#
        );
    }

    #[test]
    fn every_tree_is_json_even_the_highest() {
        let chain = "a".to_owned() + &" + a".repeat(990);
        let json = tree(&chain);
        assert_eq!(json.matches("binaryExpr").count(), 990);
        for text in [
            "sum without (a, b) (rate({\"x.y\"}[5m] smoothed)) / on (c) group_left (d) fill_right (0) vector(1)",
            "max_over_time(sum(a)[1h:5m] offset 1d)",
            "label_replace(a, \"x\", \"$1\\n\", \"y\", \"(.*)\")",
            "topk by (x) (2, a @ end())",
        ] {
            let read: serde_json::Value = serde_json::from_str(&tree(text)).expect("valid JSON");
            assert!(read["type"].is_string());
        }
    }
}

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What Go's `url.QueryEscape` leaves alone.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The path of the expression browser with `expr` in table view, as upstream's `TableLinkForExpression`.
pub fn table_link(expr: &str) -> String {
    let escaped = utf8_percent_encode(expr, QUERY)
        .to_string()
        .replace("%20", "+");
    format!("/graph?g0.expr={escaped}&g0.tab=1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_escaped_as_go_does() {
        assert_eq!(
            table_link("up{job=\"a b\"} == 0"),
            "/graph?g0.expr=up%7Bjob%3D%22a+b%22%7D+%3D%3D+0&g0.tab=1"
        );
    }
}

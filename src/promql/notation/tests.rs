use super::*;

fn floats(text: &str) -> Vec<f64> {
    let (_, values) = parse_series_line(text).unwrap();
    values
        .into_iter()
        .map(|v| match v {
            SequenceValue::Float(v) => v,
            SequenceValue::Omitted => f64::INFINITY,
            SequenceValue::Histogram(h) => h.sum,
        })
        .collect()
}

#[test]
fn repetitions_are_written_out() {
    assert_eq!(floats("a 1 2x2 3-1x2 _ _x2"), {
        let gap = f64::INFINITY;
        vec![1.0, 2.0, 2.0, 2.0, 3.0, 2.0, 1.0, gap, gap, gap]
    });
    assert_eq!(
        floats("a {{sum:1}}x1 {{sum:1}}+{{sum:2}}x2"),
        [1.0, 1.0, 1.0, 3.0, 5.0]
    );
}

#[test]
fn stale_is_the_marker() {
    assert!(
        floats("a stale stalex1")
            .iter()
            .all(|v| crate::model::is_stale_nan(*v))
    );
    assert!(parse_series_line("a fresh").is_err());
}

#[test]
fn immense_repetitions_are_refused() {
    for text in [
        "a 1x999999999999",
        "a _x18446744073709551615",
        "a 1x1.5",
        "a {{}}x99999999",
    ] {
        assert!(parse_series_line(text).is_err(), "{text}");
    }
}

#[test]
fn errors_name_line_and_column() {
    let errors = parse_series_line("{} {{schema :1}}").unwrap_err();
    assert_eq!(
        errors.first().map(ToString::to_string).as_deref(),
        Some("1:6: parse error: missing `:` for histogram descriptor")
    );
}

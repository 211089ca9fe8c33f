//! The JSON forms of samples, byte for byte as upstream writes them.

use std::fmt::Write as _;

use serde_json::Value;

use crate::model::{FloatHistogram, Labels};
use crate::text::gofmt;

/// Appends a text as a JSON string, as upstream writes names and values of labels.
pub fn push_text(out: &mut String, text: &str) {
    out.push('"');
    // What is plain goes over in one piece, which is nearly all of it.
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c < ' ' || c == '"' || c == '\\') {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(c @ ('"' | '\\')) => out.extend(['\\', c]),
            Some(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            None => {}
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// JSON in which nothing can be taken for HTML, as Go's encoder writes all texts but labels.
pub fn without_html(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        // In JSON these stand in strings alone.
        if matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}') {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}

/// A text as a JSON string without HTML.
pub fn html_free(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_text(&mut out, text);
    without_html(&out)
}

/// Appends a time in seconds: no fraction, or exactly three digits of it.
pub fn push_time(out: &mut String, ms: i64) {
    let magnitude = ms.unsigned_abs();
    if ms < 0 {
        out.push('-');
    }
    let _ = write!(out, "{}", magnitude / 1000);
    let fraction = magnitude % 1000;
    if fraction != 0 {
        let _ = write!(out, ".{fraction:03}");
    }
}

/// A float as the API writes it, without the quotes around it.
pub fn float_text(v: f64) -> String {
    let abs = v.abs();
    if abs.is_finite() && abs != 0.0 && !(1e-6..1e21).contains(&abs) {
        gofmt::float_e(v)
    } else {
        gofmt::float_f(v)
    }
}

/// Appends a float in quotes.
pub fn push_float(out: &mut String, v: f64) {
    out.push('"');
    out.push_str(&float_text(v));
    out.push('"');
}

/// Appends labels as an object, sorted by name.
pub fn push_labels(out: &mut String, labels: &Labels) {
    out.push('{');
    for (at, (name, value)) in labels.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        push_text(out, name);
        out.push(':');
        push_text(out, value);
    }
    out.push('}');
}

/// Appends a native histogram at a time: count, sum and the buckets that hold something.
pub fn push_histogram_point(out: &mut String, t_ms: i64, histogram: &FloatHistogram) {
    out.push('[');
    push_time(out, t_ms);
    out.push_str(",{\"count\":");
    push_float(out, histogram.count);
    out.push_str(",\"sum\":");
    push_float(out, histogram.sum);
    let mut separator = ",\"buckets\":[";
    for bucket in histogram.buckets() {
        if bucket.count == 0.0 {
            continue;
        }
        out.push_str(separator);
        separator = ",";
        let _ = write!(out, "[{},", bucket.boundaries());
        push_float(out, bucket.lower);
        out.push(',');
        push_float(out, bucket.upper);
        out.push(',');
        push_float(out, bucket.count);
        out.push(']');
    }
    if separator == "," {
        out.push(']');
    }
    out.push_str("}]");
}

/// Labels as a JSON object.
pub fn labels(labels: &Labels) -> Value {
    Value::Object(
        labels
            .iter()
            .map(|(name, value)| (name.to_owned(), Value::String(value.to_owned())))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_as_upstream_does() {
        let mut out = String::new();
        push_text(&mut out, "<a>&\u{2028}\u{7f}\u{8}\n\"\\é");
        assert_eq!(out, "\"<a>&\u{2028}\u{7f}\\u0008\\n\\\"\\\\é\"");
        assert_eq!(
            html_free("<a>&\u{2028}é"),
            "\"\\u003ca\\u003e\\u0026\\u2028é\""
        );
        assert_eq!(html_free(""), "\"\"");
    }

    #[test]
    fn floats_and_times_look_as_upstream_writes_them() {
        for (v, text) in [
            (2.0, "2"),
            (0.1, "0.1"),
            (1e21, "1e+21"),
            (1e-7, "1e-07"),
            (123_456_789_012.0, "123456789012"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (-0.0, "-0"),
        ] {
            assert_eq!(float_text(v), text);
        }
        for (ms, text) in [
            (4000, "4"),
            (1500, "1.500"),
            (1007, "1.007"),
            (-1, "-0.001"),
        ] {
            let mut out = String::new();
            push_time(&mut out, ms);
            assert_eq!(out, text);
        }
    }
}

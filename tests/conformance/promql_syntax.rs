//! Groups promql-parser, promql-printer and promql-notation: see `../shared/conformance/README.md`.

use base64::Engine as _;
use serde_json::Value;

use watchfire::model::FloatHistogram;
use watchfire::promql::notation::{SequenceValue, parse_series_line};
use watchfire::promql::parser::{ParseOptions, parse, parse_bytes};

use crate::harness::{self, Group};

fn cases(file: &str) -> Option<Vec<Value>> {
    let path = harness::folder()?.join("promqltest").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let table: Value = serde_json::from_str(&text).unwrap();
    Some(table.as_array().unwrap().clone())
}

#[test]
fn promql_parser() {
    let Some(cases) = cases("promql_parser_cases.json") else {
        return;
    };
    let mut group = Group::new("promql-parser");
    for case in &cases {
        let input = match case["input"].as_str() {
            Some(text) => text.as_bytes().to_vec(),
            None => base64::prelude::BASE64_STANDARD
                .decode(case["input_b64"].as_str().unwrap())
                .unwrap(),
        };
        let name = String::from_utf8_lossy(&input).into_owned();
        group.check(&name, check_parse(case, &input));
    }
    group.finish();
}

fn check_parse(case: &Value, input: &[u8]) -> Result<(), String> {
    let found = match parse_bytes(input, &ParseOptions::all()) {
        Ok(expr) if case["ok"] == true => {
            return reparse(&expr.to_string());
        }
        Ok(expr) => return Err(format!("parsed as {expr}, wanted {}", case["errors"])),
        Err(errors) if case["ok"] == true => return Err(format!("refused: {errors:?}")),
        Err(errors) => errors,
    };
    let texts = case["errors"].as_array().into_iter().flatten();
    let places = case["error_positions"].as_array().into_iter().flatten();
    for (at, (text, place)) in texts.zip(places).enumerate() {
        let Some(error) = found.get(at) else {
            return Err(format!("wanted {text} at {place}, found {found:?}"));
        };
        let same_place = place[0] == error.pos.start as u64 && place[1] == error.pos.end as u64;
        if !error.message.contains(text.as_str().unwrap()) || !same_place {
            return Err(format!("wanted {text} at {place}, found {found:?}"));
        }
    }
    Ok(())
}

#[test]
fn promql_printer() {
    let Some(cases) = cases("promql_printer_cases.json") else {
        return;
    };
    let mut group = Group::new("promql-printer");
    for case in &cases {
        let (input, wanted) = (case["in"].as_str().unwrap(), case["out"].as_str().unwrap());
        group.check(input, check_print(input, wanted));
    }
    group.finish();
}

fn check_print(input: &str, wanted: &str) -> Result<(), String> {
    let print = |text: &str| {
        parse(text, &ParseOptions::all())
            .map(|expr| expr.to_string())
            .map_err(|errors| format!("{text} refused: {errors:?}"))
    };
    let printed = print(input)?;
    if printed != wanted {
        return Err(format!("printed {printed}, wanted {wanted}"));
    }
    let again = print(&printed)?;
    if again != printed {
        return Err(format!("printed {printed}, and then {again}"));
    }
    Ok(())
}

#[test]
fn promql_notation() {
    let (Some(series), Some(histograms)) = (
        cases("series_notation_cases.json"),
        cases("histogram_notation_cases.json"),
    ) else {
        return;
    };
    let mut group = Group::new("promql-notation");
    for case in &series {
        group.check(case["input"].as_str().unwrap(), check_series(case));
    }
    for case in &histograms {
        let outcome = if case["test"] == "TestHistogramTestExpression" {
            check_histogram_text(case)
        } else {
            check_histograms(case)
        };
        group.check(case["name"].as_str().unwrap(), outcome);
    }
    group.finish();
}

fn check_series(case: &Value) -> Result<(), String> {
    let (labels, values) = match parse_series_line(case["input"].as_str().unwrap()) {
        Err(_) if case["fail"] == true => return Ok(()),
        Ok(found) if case["fail"] == true => return Err(format!("accepted as {found:?}")),
        Err(errors) => return Err(format!("refused: {errors:?}")),
        Ok(found) => found,
    };
    let wanted = case["expected_labels"].as_object().unwrap();
    let found: Vec<(&str, &str)> = labels.iter().collect();
    let all = wanted.len() == found.len()
        && found
            .iter()
            .all(|(name, value)| wanted.get(*name).and_then(Value::as_str) == Some(value));
    if !all {
        return Err(format!("labels {labels}, wanted {wanted:?}"));
    }
    let wanted = case["expected_values"].as_array().unwrap();
    let same = wanted.len() == values.len()
        && wanted
            .iter()
            .zip(&values)
            .all(|(wanted, found)| match found {
                SequenceValue::Float(v) => {
                    wanted.as_f64() == Some(*v)
                        || (wanted == "NaN" && v.is_nan())
                        || wanted == "stale"
                }
                SequenceValue::Omitted => wanted.is_null() || wanted == "_",
                SequenceValue::Histogram(_) => false,
            });
    if same {
        Ok(())
    } else {
        Err(format!("values {values:?}, wanted {wanted:?}"))
    }
}

fn check_histograms(case: &Value) -> Result<(), String> {
    let parsed = parse_series_line(case["input"].as_str().unwrap());
    if let Some(wanted) = case["expectedError"].as_str() {
        return match parsed {
            Ok(found) => Err(format!("accepted as {found:?}, wanted {wanted}")),
            Err(errors) if errors.first().is_some_and(|e| e.to_string() == wanted) => Ok(()),
            Err(errors) => Err(format!("{errors:?}, wanted {wanted}")),
        };
    }
    let (_, values) = parsed.map_err(|errors| format!("refused: {errors:?}"))?;
    let wanted = case["expected"].as_array().unwrap();
    if wanted.len() != values.len() {
        return Err(format!("{} values, wanted {}", values.len(), wanted.len()));
    }
    for (wanted, found) in wanted.iter().zip(&values) {
        let SequenceValue::Histogram(found) = found else {
            return Err(format!("{found:?}, wanted {wanted}"));
        };
        let wanted = histogram(wanted);
        if !found.same_bits(&wanted) {
            return Err(format!("{found:?}, wanted {wanted:?}"));
        }
    }
    Ok(())
}

fn check_histogram_text(case: &Value) -> Result<(), String> {
    let printed = histogram(&case["input"]).notation();
    let wanted = case["expected"].as_str().unwrap();
    if printed == wanted {
        Ok(())
    } else {
        Err(format!("printed {printed}, wanted {wanted}"))
    }
}

fn histogram(fields: &Value) -> FloatHistogram {
    use watchfire::model::histogram::{BucketSpan, CounterResetHint};

    let number = |name: &str| fields[name].as_f64().unwrap_or(0.0);
    let numbers = |name: &str| -> Vec<f64> {
        fields[name]
            .as_array()
            .into_iter()
            .flatten()
            .map(|v| v.as_f64().unwrap())
            .collect()
    };
    let spans = |name: &str| -> Vec<BucketSpan> {
        fields[name]
            .as_array()
            .into_iter()
            .flatten()
            .map(|span| BucketSpan {
                offset: span["Offset"].as_i64().unwrap() as i32,
                length: span["Length"].as_u64().unwrap() as u32,
            })
            .collect()
    };
    FloatHistogram {
        counter_reset_hint: match fields["CounterResetHint"].as_str() {
            Some("gauge") => CounterResetHint::Gauge,
            Some("reset") => CounterResetHint::Reset,
            Some("not_reset") => CounterResetHint::NotReset,
            _ => CounterResetHint::Unknown,
        },
        schema: fields["Schema"].as_i64().unwrap_or(0) as i32,
        zero_threshold: number("ZeroThreshold"),
        zero_count: number("ZeroCount"),
        count: number("Count"),
        sum: number("Sum"),
        positive_spans: spans("PositiveSpans"),
        negative_spans: spans("NegativeSpans"),
        positive_buckets: numbers("PositiveBuckets"),
        negative_buckets: numbers("NegativeBuckets"),
        custom_values: numbers("CustomValues").into(),
    }
}

/// What was accepted must print as something that is accepted, too.
fn reparse(printed: &str) -> Result<(), String> {
    parse(printed, &ParseOptions::all())
        .map(|_| ())
        .map_err(|errors| format!("printed as {printed}, which is refused: {errors:?}"))
}

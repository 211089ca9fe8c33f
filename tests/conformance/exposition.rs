//! Pages of metrics: upstream's parser tables, OpenMetrics' good pages, real pages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::{Value, json};
use watchfire::exposition::{Entry, Format, Parser, ParserOptions, ScrapeProtocol, Series, detect};
use watchfire::model::{Exemplar, Labels, SampleValue};

use crate::harness::{self, Group};

fn read_json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(case: &Value, key: &str) -> Vec<u8> {
    match case[key].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => base64::engine::general_purpose::STANDARD
            .decode(case[format!("{key}_b64")].as_str().unwrap())
            .unwrap(),
    }
}

fn format(case: &Value) -> Format {
    match case["format"].as_str().unwrap() {
        "openmetrics-1.0" => Format::OpenMetrics,
        _ => Format::PrometheusText,
    }
}

fn number(v: f64) -> Value {
    if v.is_nan() {
        json!("NaN")
    } else if v.is_infinite() {
        json!(if v > 0.0 { "+Inf" } else { "-Inf" })
    } else {
        json!(v)
    }
}

fn labels(labels: &Labels) -> Value {
    Value::Object(
        labels
            .iter()
            .map(|(n, v)| (n.to_owned(), v.into()))
            .collect(),
    )
}

fn exemplar(e: &Exemplar) -> Value {
    let mut out = json!({"Labels": labels(&e.labels), "Value": number(e.value)});
    if let Some(ts) = e.timestamp_ms {
        out["HasTs"] = true.into();
        out["Ts"] = ts.into();
    }
    out
}

fn sample(series: &Series<'_>, value: &SampleValue) -> Result<Value, String> {
    let mut out = json!({
        "series_or_family": String::from_utf8_lossy(series.key),
        "labels": labels(&series.labels().map_err(|e| e.to_string())?),
        "start_timestamp_ms": series.start_timestamp_ms,
        "exemplars": series.exemplars.iter().map(exemplar).collect::<Vec<_>>(),
        "timestamp_ms": series.timestamp_ms,
    });
    match value {
        SampleValue::Float(v) => out["value"] = number(*v),
        SampleValue::Histogram(h) => {
            out["shs"] = json!({
                "Count": h.count, "Sum": number(h.sum), "Schema": h.schema,
                "PositiveBuckets": h.positive_buckets,
                "PositiveSpans": h.positive_spans.iter().map(|s| json!({"Length": s.length, "Offset": s.offset})).collect::<Vec<_>>(),
            });
            if !h.custom_values.is_empty() {
                out["shs"]["CustomValues"] = h.custom_values.iter().map(|v| number(*v)).collect();
            }
        }
        SampleValue::FloatHistogram(_) => out["fhs"] = json!({}),
    }
    Ok(out)
}

fn entries(body: &[u8], format: Format, options: ParserOptions) -> Result<Vec<Value>, String> {
    let mut parser = Parser::new(body, format, options);
    let mut out = Vec::new();
    while let Some(entry) = parser.next().map_err(|e| e.message())? {
        out.push(match &entry {
            Entry::Help { family, text } => json!({"series_or_family": family, "help": text}),
            Entry::Type {
                family,
                metric_type,
            } => json!({"series_or_family": family, "type": metric_type.as_str()}),
            Entry::Unit { family, unit } => json!({"series_or_family": family, "unit": unit}),
            Entry::Comment(text) => json!({"comment": String::from_utf8_lossy(text)}),
            Entry::Sample { series, value } => sample(series, value)?,
        });
    }
    Ok(out)
}

/// Whether everything that the table says of an entry is so; numbers are compared as floats.
fn agrees(want: &Value, got: &Value, labels_key: &str) -> bool {
    let Some(want) = want.as_object() else {
        return want == got || (want.is_number() && want.as_f64() == got.as_f64());
    };
    let is_sample = got.get("labels").is_some();
    if is_sample
        && !want.contains_key("value")
        && want.contains_key("labels")
        && !want.contains_key("shs")
        && got["value"] != json!(0.0)
    {
        return false;
    }
    if is_sample
        && want.contains_key("labels")
        && !want.contains_key("start_timestamp_ms")
        && got["start_timestamp_ms"] != 0
    {
        return false;
    }
    want.iter().all(|(key, want)| match key.as_str() {
        "labels" if labels_key != "labels" => true,
        "labels_with_type_and_unit" if labels_key == "labels" => true,
        "labels_with_type_and_unit" => agrees(want, &got["labels"], labels_key),
        _ => match want {
            Value::Array(want) => got[key].as_array().is_some_and(|got| {
                want.len() == got.len() && want.iter().zip(got).all(|(w, g)| agrees(w, g, "labels"))
            }),
            want => agrees(want, &got[key], "labels"),
        },
    })
}

fn compare(case: &Value, options: ParserOptions, labels_key: &str) -> Result<(), String> {
    let body = bytes(case, "input");
    let got = entries(&body, format(case), options)?;
    let want = case["entries"].as_array().unwrap();
    for (i, (want, got)) in want.iter().zip(&got).enumerate() {
        if !agrees(want, got, labels_key) {
            return Err(format!("entry {i}\n    want {want}\n    got  {got}"));
        }
    }
    if want.len() == got.len() {
        Ok(())
    } else {
        Err(format!("want {} entries, got {}", want.len(), got.len()))
    }
}

#[test]
fn exposition() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let folder = folder.join("exposition");
    let mut group = Group::new("exposition");
    let skip_created = ParserOptions {
        start_timestamps: true,
        ..ParserOptions::default()
    };
    for case in read_json(&folder.join("parse_ok.json")).as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        group.check(name, compare(case, skip_created, "labels"));
        let with_meta = ParserOptions {
            type_and_unit_labels: true,
            ..skip_created
        };
        group.check(name, compare(case, with_meta, "labels_with_type_and_unit"));
    }
    for case in read_json(&folder.join("nhcb_parse.json"))
        .as_array()
        .unwrap()
    {
        let options = ParserOptions {
            convert_classic_histograms: true,
            ..skip_created
        };
        group.check(
            case["name"].as_str().unwrap(),
            compare(case, options, "labels"),
        );
    }
    for case in read_json(&folder.join("parse_errors.json"))
        .as_array()
        .unwrap()
    {
        let input = bytes(case, "input");
        let got = entries(&input, format(case), ParserOptions::default());
        let outcome = match (&got, case["ok"].as_bool(), case["error"].as_str()) {
            (_, None, _) | (Ok(_), Some(true), _) => Ok(()),
            (Err(got), Some(false), Some(want)) if got == want => Ok(()),
            _ => Err(format!("want {}, got {got:?}", case["error"])),
        };
        group.check(&format!("{:?}", String::from_utf8_lossy(&input)), outcome);
    }
    for case in read_json(&folder.join("content_negotiation.json"))
        .as_array()
        .unwrap()
    {
        group.check(case["name"].as_str().unwrap(), negotiate(case));
    }
    group.finish();
}

fn negotiate(case: &Value) -> Result<(), String> {
    let text = |key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let protocol = match text("fallback_scrape_protocol").as_str() {
        "" => None,
        word => Some(ScrapeProtocol::parse(&word.replace('_', ".")).unwrap()),
    };
    let (parser, complaint) = match detect(&text("content_type"), protocol) {
        Ok((format, complaint)) => {
            let name = match format {
                Format::PrometheusText => "prometheus-text",
                Format::OpenMetrics => "openmetrics",
                Format::Protobuf => "protobuf",
            };
            (name, complaint.unwrap_or_default())
        }
        Err(e) => ("", e.to_string()),
    };
    let wanted = text("error_substring");
    if parser == text("expected_parser")
        && complaint.contains(&wanted)
        && complaint.is_empty() == wanted.is_empty()
    {
        Ok(())
    } else {
        Err(format!("{case}: got {parser:?}, {complaint:?}"))
    }
}

#[test]
fn openmetrics() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let mut group = Group::new("openmetrics");
    let mut cases: Vec<PathBuf> =
        std::fs::read_dir(folder.join("exposition/openmetrics/tests/testdata/parsers"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
    cases.sort();
    for case in cases {
        let body = std::fs::read(case.join("metrics")).unwrap();
        let told = case.join("test.json");
        let should_parse = told.exists() && read_json(&told)["shouldParse"] == true;
        let got = entries(&body, Format::OpenMetrics, ParserOptions::default());
        let outcome = match got {
            Err(why) if should_parse => Err(why),
            _ => Ok(()),
        };
        group.check(&case.display().to_string(), outcome);
    }
    group.finish();
}

/// Reads a page and returns its series, label values that vary from scrape to scrape left out.
fn series(body: &[u8], format: Format) -> Result<BTreeSet<String>, String> {
    // The text form has the classic histograms alone.
    let options = ParserOptions {
        ignore_native_histograms: true,
        ..ParserOptions::default()
    };
    let mut parser = Parser::new(body, format, options);
    let mut out = BTreeSet::new();
    while let Some(entry) = parser.next().map_err(|e| e.to_string())? {
        if let Entry::Sample { series, .. } = entry {
            let labels = series.labels().map_err(|e| e.to_string())?;
            out.insert(labels.to_string());
        }
    }
    Ok(out)
}

#[test]
fn pages() {
    let Some(folder) = harness::folder() else {
        return;
    };
    let folder = folder.join("exposition");
    let mut group = Group::new("pages");
    let mut files = Vec::new();
    for part in ["real", "prometheus-common", "prometheus-textparse"] {
        collect(&folder.join(part), &mut files);
    }
    files.sort();
    for file in files {
        let name = file.display().to_string();
        let body = std::fs::read(&file).unwrap();
        if name.ends_with(".pb.bin") {
            let text = std::fs::read(name.replace(".pb.bin", ".text.metrics")).unwrap();
            let outcome = match (
                series(&body, Format::Protobuf),
                series(&text, Format::PrometheusText),
            ) {
                (Ok(a), Ok(b)) if a == b => Ok(()),
                (Ok(a), Ok(b)) => Err(format!(
                    "differ in {:?}",
                    a.symmetric_difference(&b).take(5).collect::<Vec<_>>()
                )),
                (a, b) => Err(format!("{:?} {:?}", a.err(), b.err())),
            };
            group.check(&name, outcome);
            continue;
        }
        let must_parse =
            (name.ends_with(".metrics") || name.contains("/e2e-") || name.contains("alltypes"))
                && !name.contains(".headers");
        let outcome = match series(&body, Format::PrometheusText) {
            Ok(series) if must_parse && series.is_empty() => Err("no series".to_owned()),
            Err(why) if must_parse => Err(why),
            _ => Ok(()),
        };
        let _ = series(&body, Format::OpenMetrics);
        let _ = series(&body, Format::Protobuf);
        group.check(&name, outcome);
    }
    group.finish();
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::model::{Labels, SampleValue};

const FORMATS: [Format; 3] = [
    Format::PrometheusText,
    Format::OpenMetrics,
    Format::Protobuf,
];

fn options() -> impl Strategy<Value = ParserOptions> {
    any::<(bool, bool, bool, bool)>().prop_map(|(a, b, c, d)| ParserOptions {
        type_and_unit_labels: a,
        ignore_native_histograms: b,
        convert_classic_histograms: c,
        keep_classic_histograms: d,
        start_timestamps: a ^ b,
    })
}

/// Reads to the end or to the first error and counts entries.
fn drain(body: &[u8], format: Format, options: ParserOptions) -> usize {
    let mut parser = Parser::new(body, format, options);
    let mut count = 0;
    while let Ok(Some(entry)) = parser.next() {
        if let Entry::Sample { series, .. } = &entry {
            let _ = series.labels();
        }
        count += 1;
    }
    assert!(matches!(parser.next(), Ok(None)), "nothing follows the end");
    count
}

type Told = (Labels, u64, Option<i64>);

fn samples(body: &[u8], format: Format) -> Result<Vec<Told>, Error> {
    let mut parser = Parser::new(body, format, ParserOptions::default());
    let mut out = Vec::new();
    while let Some(entry) = parser.next()? {
        if let Entry::Sample {
            series,
            value: SampleValue::Float(v),
        } = entry
        {
            out.push((series.labels()?, v.to_bits(), series.timestamp_ms));
        }
    }
    Ok(out)
}

/// The classic form read by a plain character machine: the oracle for lines that are well-formed.
fn slow(body: &str) -> Vec<Told> {
    let mut out = Vec::new();
    for line in body
        .lines()
        .filter(|l| !l.trim().is_empty() && !l.starts_with('#'))
    {
        let chars: Vec<char> = line.chars().collect();
        let mut at = chars.iter().position(|c| "{ ".contains(*c)).unwrap();
        let mut pairs = vec![(
            "__name__".to_owned(),
            chars[..at].iter().collect::<String>(),
        )];
        while chars[at] == ' ' {
            at += 1;
        }
        if chars[at] == '{' {
            at += 1;
            while chars[at] != '}' {
                let equal = at + chars[at..].iter().position(|c| *c == '=').unwrap();
                let name: String = chars[at..equal].iter().collect();
                at = equal + 2;
                let mut value = String::new();
                while chars[at] != '"' {
                    if chars[at] == '\\' {
                        at += 1;
                        value.push(if chars[at] == 'n' { '\n' } else { chars[at] });
                    } else {
                        value.push(chars[at]);
                    }
                    at += 1;
                }
                at += 1;
                pairs.push((name.trim().to_owned(), value));
                if chars[at] == ',' {
                    at += 1;
                }
            }
            at += 1;
        }
        let rest: String = chars[at..].iter().collect();
        let mut words = rest.split_whitespace();
        let value: f64 = words.next().unwrap().parse().unwrap();
        let timestamp = words.next().map(|w| w.parse().unwrap());
        out.push((Labels::from_pairs(pairs), value.to_bits(), timestamp));
    }
    out
}

fn label() -> impl Strategy<Value = (String, String)> {
    ("[a-zA-Z_][a-zA-Z0-9_]{0,6}", "[a-z \\\\\"\né=},{]{0,8}")
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn line() -> impl Strategy<Value = String> {
    (
        "[a-zA-Z_:][a-zA-Z0-9_:]{0,8}",
        prop::collection::btree_map(label().prop_map(|l| l.0), label().prop_map(|l| l.1), 0..4),
        prop_oneof![
            any::<i32>().prop_map(|v| v.to_string()),
            any::<f64>()
                .prop_filter("finite", |v| v.is_finite())
                .prop_map(|v| format!("{v:e}")),
            Just("+Inf".to_owned()),
        ],
        prop::option::of(0..i64::MAX),
    )
        .prop_map(|(name, labels, value, timestamp)| {
            let labels: Vec<String> = labels
                .iter()
                .map(|(n, v)| format!("{n}=\"{}\"", escaped(v)))
                .collect();
            let block = if labels.is_empty() {
                String::new()
            } else {
                format!("{{{}}}", labels.join(","))
            };
            let timestamp = timestamp.map_or(String::new(), |t| format!(" {t}"));
            format!("{name}{block} {value}{timestamp}")
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300), options in options()) {
        for format in FORMATS {
            drain(&body, format, options);
        }
    }

    #[test]
    fn bytes_that_look_like_a_page_are_read_or_refused(
        pieces in prop::collection::vec(prop_oneof![
            Just("# TYPE a histogram\n"), Just("a_bucket{le=\"1\"} 1"), Just("a_count 2"), Just("a_created 3"),
            Just("\n"), Just(" "), Just("{"), Just("\"x\""), Just(","), Just("}"), Just("="), Just("# EOF\n"),
            Just(" # {a=\"b\"} 1 2"), Just("\\"), Just("\0"), Just("é"), Just("# HELP a b\\n\n"), Just("# UNIT a_s s\n"),
            Just("1e9"), Just("NaN"), Just("a 1 1"),
        ], 0..40),
        options in options(),
    ) {
        let body = pieces.concat();
        for format in FORMATS {
            drain(body.as_bytes(), format, options);
        }
    }

    #[test]
    fn good_lines_mean_what_the_slow_reader_says(lines in prop::collection::vec(line(), 0..12), broken in any::<bool>()) {
        let end = if broken { "" } else { "\n" };
        let body = lines.join("\n") + end;
        prop_assert_eq!(samples(body.as_bytes(), Format::PrometheusText).unwrap(), slow(&body));
    }

    #[test]
    fn cut_pages_never_tell_more_than_whole_ones(lines in prop::collection::vec(line(), 1..8), cut in 0usize..200) {
        let body = lines.join("\n");
        let cut = cut.min(body.len());
        let whole = drain(body.as_bytes(), Format::PrometheusText, ParserOptions::default());
        let part = drain(&body.as_bytes()[..cut], Format::PrometheusText, ParserOptions::default());
        prop_assert!(part <= whole);
    }
}

#[test]
fn a_repeated_label_is_refused_when_labels_are_built() {
    let mut parser = Parser::new(
        b"a{b=\"1\",b=\"2\"} 1\n",
        Format::PrometheusText,
        ParserOptions::default(),
    );
    let Ok(Some(Entry::Sample { series, .. })) = parser.next() else {
        panic!("a sample");
    };
    assert_eq!(
        series.labels().unwrap_err().to_string(),
        "label name \"b\" is not unique: invalid sample"
    );
}

#[test]
fn errors_name_the_line() {
    let mut parser = Parser::new(
        b"a 1\n\nb x\n",
        Format::PrometheusText,
        ParserOptions::default(),
    );
    assert!(parser.next().is_ok());
    assert_eq!(
        parser.next().unwrap_err().to_string(),
        "strconv.ParseFloat: parsing \"x\": invalid syntax while parsing: \"b x\" (line 3)"
    );
}

#[test]
fn a_long_family_without_start_timestamps_is_read_in_linear_time() {
    let mut body = "# TYPE a counter\n".to_owned();
    for i in 0..20_000 {
        let _ = writeln!(body, "a_total{{i=\"{i}\"}} {i}");
    }
    body.push_str("# EOF\n");
    let options = ParserOptions {
        start_timestamps: true,
        ..ParserOptions::default()
    };
    assert_eq!(drain(body.as_bytes(), Format::OpenMetrics, options), 20_001);
}

/// Messages as an exporter would write them, read back entry by entry.
mod protobuf {
    use prost::Message as _;

    use crate::codec::metric_family as pb;
    use crate::exposition::*;
    use crate::model::SampleValue;

    fn page(family: &pb::MetricFamily) -> Vec<u8> {
        family.encode_length_delimited_to_vec()
    }

    fn histogram() -> pb::Histogram {
        let exemplar = |value, seconds| pb::Exemplar {
            label: vec![pb::LabelPair {
                name: "id".to_owned(),
                value: "x".to_owned(),
            }],
            value,
            timestamp: (seconds > 0).then_some(pb::Timestamp {
                seconds,
                nanos: 5_000_000,
            }),
        };
        pb::Histogram {
            sample_count: 7,
            sample_sum: 2.5,
            bucket: vec![
                pb::Bucket {
                    cumulative_count: 3,
                    upper_bound: 1.0,
                    exemplar: Some(exemplar(0.5, 0)),
                    ..pb::Bucket::default()
                },
                pb::Bucket {
                    cumulative_count: 5,
                    upper_bound: 2.0,
                    exemplar: Some(exemplar(1.5, 9)),
                    ..pb::Bucket::default()
                },
            ],
            created_timestamp: Some(pb::Timestamp {
                seconds: 4,
                nanos: 0,
            }),
            ..pb::Histogram::default()
        }
    }

    fn native() -> pb::Histogram {
        pb::Histogram {
            schema: 3,
            zero_threshold: 0.001,
            zero_count: 2,
            positive_span: vec![pb::BucketSpan {
                offset: -1,
                length: 3,
            }],
            positive_delta: vec![1, -1, 4],
            ..histogram()
        }
    }

    fn family(histogram: pb::Histogram, kind: i32) -> pb::MetricFamily {
        pb::MetricFamily {
            name: "h".to_owned(),
            help: "Help.".to_owned(),
            r#type: kind,
            metric: vec![pb::Metric {
                label: vec![pb::LabelPair {
                    name: "a".to_owned(),
                    value: "b".to_owned(),
                }],
                histogram: Some(histogram),
                ..pb::Metric::default()
            }],
            ..pb::MetricFamily::default()
        }
    }

    fn told(body: &[u8], options: ParserOptions) -> Vec<String> {
        let mut parser = Parser::new(body, Format::Protobuf, options);
        let mut out = Vec::new();
        while let Some(entry) = parser.next().unwrap() {
            out.push(match entry {
                Entry::Help { family, text } => format!("help {family} {text}"),
                Entry::Type {
                    family,
                    metric_type,
                } => format!("type {family} {metric_type}"),
                Entry::Unit { family, unit } => format!("unit {family} {unit}"),
                Entry::Comment(_) => "comment".to_owned(),
                Entry::Sample { series, value } => {
                    let value = match value {
                        SampleValue::Float(v) => v.to_string(),
                        SampleValue::Histogram(h) => {
                            format!("{:?} {:?}", h.positive_buckets, h.custom_values)
                        }
                        SampleValue::FloatHistogram(h) => format!("{:?}", h.positive_buckets),
                    };
                    let labels = series.labels().unwrap();
                    let suffix = format!(
                        "st={} ex={}",
                        series.start_timestamp_ms,
                        series.exemplars.len()
                    );
                    format!("{labels} {value} {suffix}")
                }
            });
        }
        out
    }

    #[test]
    fn classic_histograms_are_told_series_by_series() {
        assert_eq!(
            told(&page(&family(histogram(), 4)), ParserOptions::default()),
            [
                "help h Help.",
                "type h histogram",
                r#"{__name__="h_count", a="b"} 7 st=4000 ex=0"#,
                r#"{__name__="h_sum", a="b"} 2.5 st=4000 ex=0"#,
                r#"{__name__="h_bucket", a="b", le="1.0"} 3 st=4000 ex=1"#,
                r#"{__name__="h_bucket", a="b", le="2.0"} 5 st=4000 ex=1"#,
                r#"{__name__="h_bucket", a="b", le="+Inf"} 7 st=4000 ex=0"#,
            ]
        );
    }

    #[test]
    fn native_histograms_stand_for_the_classic_ones_or_beside_them() {
        let body = page(&family(native(), 5));
        let alone = told(&body, ParserOptions::default());
        assert_eq!(
            alone[1..],
            [
                "type h gaugehistogram",
                r#"{__name__="h", a="b"} [1, 3] [] st=4000 ex=1"#
            ]
        );
        let both = ParserOptions {
            keep_classic_histograms: true,
            ..ParserOptions::default()
        };
        assert_eq!(told(&body, both).len(), 8);
        let ignored = ParserOptions {
            ignore_native_histograms: true,
            ..ParserOptions::default()
        };
        assert_eq!(told(&body, ignored).len(), 7);
    }

    #[test]
    fn classic_histograms_are_converted() {
        let options = ParserOptions {
            convert_classic_histograms: true,
            ..ParserOptions::default()
        };
        assert_eq!(
            told(&page(&family(histogram(), 4)), options)[2..],
            [r#"{__name__="h", a="b"} [3, -1, 0] [1.0, 2.0] st=4000 ex=1"#]
        );
    }

    #[test]
    fn spans_that_claim_more_buckets_than_there_are_are_refused() {
        let mut broken = native();
        broken.positive_span.push(pb::BucketSpan {
            offset: 0,
            length: u32::MAX,
        });
        let body = page(&family(broken, 4));
        let mut parser = Parser::new(&body, Format::Protobuf, ParserOptions::default());
        let error = loop {
            match parser.next() {
                Ok(entry) => assert!(entry.is_some(), "an error"),
                Err(e) => break e.to_string(),
            }
        };
        assert!(
            error.contains("spans need 4294967298 buckets, have 3 buckets"),
            "{error}"
        );
    }

    #[test]
    fn units_must_end_names() {
        let mut wrong = family(histogram(), 4);
        wrong.unit = "seconds".to_owned();
        let body = page(&wrong);
        let mut parser = Parser::new(&body, Format::Protobuf, ParserOptions::default());
        assert_eq!(
            parser.next().unwrap_err().message(),
            r#"unit "seconds" not a suffix of metric "h""#
        );
    }
}
